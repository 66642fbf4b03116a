package e2e_test

import (
	"context"
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

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// Every command of the tutorial, in order, as its reader types them.
func TestTutorial(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	blocks := shellBlock.FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		script += block[1]
	}
	if len(blocks) < 8 {
		t.Fatalf("the tutorial has %d blocks of commands", len(blocks))
	}
	home := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = 5 * time.Second
	// What it left in the background ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = []string{
		"PATH=" + filepath.Dir(testenv.Binary(t)) + ":" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "LANG=C.UTF-8",
		"SLUICE_LISTEN=" + address, "SLUICE_SERVER=http://" + address, "SLUICE_AGENT_SERVER=http://" + address,
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
	}
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("the tutorial ended with %v:\n%s", err, out)
	}
	at := 0
	for _, want := range []string{
		"no instance was there to prove 1.0.0", `"maxRetries"`, "shop.staging@1.0.0", // the first version, and the three instances
		"Completed", "success", // a good change
		"taken back, as it should be", "failure", "and the commit says why", // a bad one
		"success", "back on", "rollback", // the fix, and the emergency door
	} {
		next := strings.Index(out[at:], want)
		if next < 0 {
			t.Fatalf("after %d bytes the tutorial does not show %q:\n%s", at, want, out)
		}
		at += next
	}
}
