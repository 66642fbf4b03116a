package testenv

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// folder holds the program once Binary was asked for it.
var folder string

// build makes the program, once.
var build = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		return err
	}
	folder = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/sluicehq/sluice/cmd/sluice")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return nil
})

// Binary is the path of the sluice program, built once a test run, with the
// race detector when the test itself has it. Packages that use it run their
// tests through Main.
func Binary(t testing.TB) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "sluice")
}

// Main runs a package's tests and removes what Binary built.
func Main(m *testing.M) int {
	code := m.Run()
	if folder != "" {
		if err := os.RemoveAll(folder); err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
		}
	}
	return code
}

// FreePort is a TCP port of the loopback that nobody listened on just now.
// Servers that can take port 0 should: another process may be quicker.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}
