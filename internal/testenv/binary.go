package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// folder holds the programs once one was asked for.
var (
	folder     string
	makeFolder = sync.OnceValue(func() (err error) {
		folder, err = os.MkdirTemp("", "sluice-test-")
		return err
	})
)

// unwatched is the Makefile's UNWATCHED: what is built alike is built once.
var unwatched = []string{"modernc.org/sqlite/lib", "compress/flate", "hash/adler32", "golang.org/x/crypto/argon2"}

// build makes a program once, under name and with the tags.
func build(name, tags string) func() error {
	return sync.OnceValue(func() error {
		if err := makeFolder(); err != nil {
			return err
		}
		args := []string{"build", "-ldflags=-s -w", "-tags", tags, "-o", filepath.Join(folder, name)}
		if raceEnabled {
			args = append(args, "-race")
			for _, pkg := range unwatched {
				args = append(args, "-gcflags="+pkg+"=-race=false -d=checkptr=0")
			}
		}
		out, err := exec.Command("go", append(args, "github.com/sluicehq/sluice/cmd/sluice")...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build sluice: %w\n%s", err, out)
		}
		return nil
	})
}

var (
	release  = build("sluice", "")
	crashing = build("sluice-failpoints", "failpoints")
)

// Binary is the path of the sluice program, built once a test run, with the
// race detector when the test itself has it. Packages that use it run their
// tests through Main.
func Binary(t testing.TB) string {
	t.Helper()
	if err := release(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "sluice")
}

// CrashingBinary is the same program with the crash points of tests:
// SLUICE_FAILPOINT=K5 kills it, as kill -9 does, where it comes to that point.
func CrashingBinary(t testing.TB) string {
	t.Helper()
	if err := crashing(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "sluice-failpoints")
}

// Main runs a package's tests, then removes what Binary built and stops the
// servers that the tests shared.
func Main(m *testing.M) int {
	code := m.Run()
	if err := runEnds(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
	}
	if folder != "" {
		if err := os.RemoveAll(folder); err != nil {
			fmt.Fprintln(os.Stderr, "testenv:", err)
		}
	}
	return code
}
