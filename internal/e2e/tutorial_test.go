package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

var shBlock = regexp.MustCompile("(?ms)^```(?:sh|console)\n(.*?)^```$")

// The tutorial is run as a reader would run it: block after block in one
// shell, on a machine where nobody has configured anything.
func TestTutorial(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := shBlock.FindAllStringSubmatch(string(text), -1)
	script := &strings.Builder{}
	for i, block := range blocks {
		fmt.Fprintf(script, "echo '=== %d'\n%s", i, block[1])
	}
	parts := strings.Split(runShell(t, script.String()), "=== ")[1:]
	if len(parts) != len(blocks) {
		t.Fatalf("%d of %d blocks ran:\n%s", len(parts), len(blocks), strings.Join(parts, "=== "))
	}

	// What the reader is told to expect, in the order of the blocks.
	for i, want := range [][]string{
		{},
		{"shop/staging.yaml", "schema"},
		{},
		{"Completed", "no instance was there to prove 1.0.0"},
		{`"maxRetries": 3`, "shop-1", "shop-2", "shop-3"},
		{"Completed", "success"},
		{"taken back, as it should be", "and the commit says why", "RolledBack", "1 of 1 instances could not apply it", "failure", `"maxRetries": 5`},
		{"Completed", "success"},
		{"goes back to 1.0.1 on 3 instances", "back on 1.0.1", "is released"},
		{},
	} {
		if i >= len(parts) {
			t.Fatalf("the tutorial has %d blocks: say here what they show", len(parts))
		}
		for _, word := range want {
			if !strings.Contains(parts[i], word) {
				t.Errorf("block %d does not show %q:\n%s\nit printed:\n%s", i, word, blocks[i][1], parts[i])
			}
		}
	}
}

// runShell runs a script by bash in a folder of its own, ends whatever it left
// behind, and returns what it printed.
func runShell(t *testing.T, script string) string {
	t.Helper()
	home := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(testenv.Binary(t))+":"+os.Getenv("PATH"),
		"HOME="+home, "XDG_CONFIG_HOME="+home, "LC_ALL=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Reader", "GIT_AUTHOR_EMAIL=reader@example.com", "GIT_COMMITTER_NAME=Reader", "GIT_COMMITTER_EMAIL=reader@example.com",
		"SLUICE_LISTEN="+address, "SLUICE_SERVER=http://"+address, "SLUICE_AGENT_SERVER=http://"+address)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	failed := cmd.Run()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
	raw, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Errorf("the script failed: %v\n%s", failed, tail(string(raw), 60))
	}
	return string(raw)
}
