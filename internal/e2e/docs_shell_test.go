package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bashShell is a shell that stays open from block to block, as a reader's does.
type bashShell struct {
	dir    string
	cmd    *exec.Cmd
	typed  *os.File // what the shell reads
	out    *os.File // all that is printed
	read   int64    // how much of it was returned
	told   *os.File // the shell says here that a block is over
	blocks int
}

// openBash starts a shell in dir. An error in a block ends it, as errors in scripts should.
func openBash(dir string, env []string) (*bashShell, error) {
	s := &bashShell{dir: filepath.Join(dir, ".blocks"), cmd: exec.Command("bash", "-euo", "pipefail", "-s")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(s.dir, "out"))
	if err != nil {
		return nil, err
	}
	input, typed, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.out, s.typed, s.told = out, typed, told
	s.cmd.Dir, s.cmd.Env = dir, env
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr, s.cmd.ExtraFiles = input, out, out, []*os.File{tell}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = s.cmd.Start()
	return s, errors.Join(err, input.Close(), tell.Close())
}

// run hands a block to the shell, waits for its end, and returns what was
// printed; ok is false when a command failed, which ends the shell.
func (s *bashShell) run(block string) (out string, ok bool, err error) {
	s.blocks++
	file := filepath.Join(s.dir, fmt.Sprintf("%d.sh", s.blocks))
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		return "", false, err
	}
	// What stays in the background keeps neither the input nor the word of the end.
	if _, err := fmt.Fprintf(s.typed, "source %s </dev/null 3>&-\necho >&3\n", file); err != nil {
		return "", false, fmt.Errorf("the shell has ended: %w", err)
	}
	if err := s.told.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		return "", false, err
	}
	_, err = bufio.NewReader(s.told).ReadString('\n')
	text, readErr := os.ReadFile(s.out.Name())
	if readErr != nil {
		return "", false, readErr
	}
	out, s.read = string(text[s.read:]), int64(len(text))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return out, false, errors.New("the block does not end")
	}
	return out, err == nil, nil
}

// close ends the shell and whatever it left behind.
func (s *bashShell) close() error {
	err := s.typed.Close()
	if killErr := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL); !errors.Is(killErr, syscall.ESRCH) {
		err = errors.Join(err, killErr)
	}
	if waitErr := s.cmd.Wait(); waitErr != nil && !strings.Contains(waitErr.Error(), "exit status") && !strings.Contains(waitErr.Error(), "killed") {
		err = errors.Join(err, waitErr)
	}
	return errors.Join(err, s.out.Close(), s.told.Close())
}
