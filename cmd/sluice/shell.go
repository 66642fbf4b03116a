package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// shell is where a command runs: its streams, its environment and its clock.
type shell struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	now    func() time.Time

	// onTerminal and size ask about a stream; tests answer instead.
	onTerminal func(stream any) bool
	size       func(stream io.Writer) (width, height int)
	// configDir is where login keeps its token.
	configDir func() (string, error)
	// readPassword reads one line from stdin without showing it.
	readPassword func() (string, error)

	// What the flags of every command say, and the connection that was looked for, which a hint names.
	color     colouring
	noHeaders bool
	conn      *connection
}

func newShell(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *shell {
	sh := &shell{
		stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv, now: time.Now,
		onTerminal: onTerminal, size: terminalSize, configDir: os.UserConfigDir, color: colourAuto,
	}
	sh.readPassword = sh.promptPassword
	return sh
}

// run parses args, runs the command they name and tells how it ended.
func (sh *shell) run(ctx context.Context, args []string) int {
	sh.conn, sh.noHeaders, sh.color = nil, false, colourAuto
	root := newRootCommand(sh)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && errors.Is(err, context.Canceled) {
		err = &exitError{code: exitInterrupted, err: errors.New("stopped before it was done")}
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(sh.stderr, "sluice: %s\n", clean(err.Error()))
		signingIn := cmd.Name() == "login" && exitCode(err) == exitDenied // no use telling to sign in
		if hint := sh.hintFor(ctx, err, cmd.Flags().Args()); hint != "" && !signingIn {
			fmt.Fprintf(sh.stderr, "  %s\n", hint)
		}
	}
	return exitCode(err)
}

// look is how text may be drawn on a stream.
type look struct {
	Width   int
	Height  int
	Color   bool
	Unicode bool
	Now     time.Time
}

// lookOf finds out what the stream can show.
func (sh *shell) lookOf(stream io.Writer) look {
	l := look{Width: 80, Height: 24, Unicode: sh.utf8(), Now: sh.now()}
	if columns, err := strconv.Atoi(sh.getenv("COLUMNS")); err == nil && columns > 0 {
		l.Width = columns
	}
	terminal := sh.onTerminal(stream)
	if terminal {
		if w, h := sh.size(stream); w > 0 && h > 0 {
			l.Width, l.Height = w, h
		}
	}
	l.Color = sh.color.coloured(terminal, sh.getenv)
	return l
}

// utf8 says whether the locale can show more than ASCII. The first variable
// that is set decides, as in setlocale(3).
func (sh *shell) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(sh.getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func terminalSize(stream io.Writer) (width, height int) {
	f, ok := stream.(descriptor)
	if !ok {
		return 0, 0
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

// descriptor is what an *os.File has and a buffer has not.
type descriptor interface{ Fd() uintptr }

func onTerminal(stream any) bool {
	f, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// promptPassword reads a line from the terminal without showing it.
func (sh *shell) promptPassword() (string, error) {
	f, ok := sh.stdin.(descriptor)
	if !ok {
		return "", errors.New("no terminal to ask for the password on: use --password-stdin")
	}
	password, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(sh.stderr)
	return string(password), err
}

// ask reads one line of an answer from stdin, without its line break.
func (sh *shell) ask(question string) (string, error) {
	fmt.Fprint(sh.stderr, question)
	line, err := readLine(sh.stdin)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return line, nil
}

// askUntil is ask that Ctrl-C ends: whoever is asked must be able to leave.
func (sh *shell) askUntil(ctx context.Context, question string) (string, error) {
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		line, err := sh.ask(question)
		replies <- reply{line, err}
	}()
	select {
	case r := <-replies:
		return r.line, r.err
	case <-ctx.Done():
		fmt.Fprintln(sh.stderr)
		return "", &exitError{code: exitInterrupted, err: errors.New("nothing was done")}
	}
}

// readLine reads up to a line break, a byte at a time: what comes after it
// belongs to somebody else.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 4096; {
		switch n, err := r.Read(b); {
		case n == 1 && b[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, b[0])
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
	}
	return "", errors.New("the line is too long")
}
