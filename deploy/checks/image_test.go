package checks_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the image of the tests says of itself.
const (
	testVersion = "1.2.3"
	testCommit  = "0123456789abcdef0123456789abcdef01234567"
	testDate    = "2026-03-01T12:00:00Z"
)

// TestTheImage carries the Dockerfile out as far as it goes without a container
// engine: each step of the build in a folder of its own that has nothing but what
// .dockerignore lets through, then the program in the finished root, which is
// read-only, as the user of the image, with its own health check.
func TestTheImage(t *testing.T) {
	t.Parallel()
	stages := readDockerfile(t)
	build := newBuilder(t, map[string]string{"VERSION": testVersion, "COMMIT": testCommit, "DATE": testDate})
	var img *image
	for _, s := range stages {
		img = build.stage(s)
	}
	t.Run("the program", func(t *testing.T) { checkProgram(t, img) })
	t.Run("what is in it", func(t *testing.T) { checkFiles(t, img) })
	t.Run("the same bytes elsewhere", func(t *testing.T) { checkReproducible(t, build.context, img) })
	t.Run("it takes the settings of production", func(t *testing.T) { checkSettings(t, img) })
	t.Run("it runs", func(t *testing.T) { checkRun(t, img) })
}

func checkProgram(t *testing.T, img *image) {
	if got, want := img.config["LABEL"]["org.opencontainers.image.version"], testVersion; got != want {
		t.Errorf("the label of the version is %q, want %q", got, want)
	}
	if got, want := img.config["LABEL"]["org.opencontainers.image.revision"], testCommit; got != want {
		t.Errorf("the label of the commit is %q, want %q", got, want)
	}
	out, err := img.command(t.Context(), nil, nil, "/sluice", "version", "-o", "json").Output()
	var said struct {
		Version, Commit, CommitDate string
		Modified                    bool
	}
	if err != nil || json.Unmarshal(out, &said) != nil || said.Version != testVersion || said.Commit != testCommit ||
		said.CommitDate != testDate || said.Modified {
		t.Errorf("version says %s, %v", out, err)
	}
	program, err := elf.Open(filepath.Join(img.root, "sluice"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader, which is not in the image")
		}
	}
}

// checkFiles: nothing else is in the image, and only the data is the user's.
func checkFiles(t *testing.T, img *image) {
	var files []string
	err := filepath.WalkDir(img.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files = append(files, strings.TrimPrefix(path, img.root))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(files, " "), "/LICENSE /etc/ssl/certs/ca-certificates.crt /sluice"; got != want {
		t.Errorf("the image has %s, want %s", got, want)
	}
	certs, err := os.ReadFile(filepath.Join(img.root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(certs) {
		t.Errorf("there are no certificates: %v", err)
	}
}

// checkReproducible builds the same files once more: in another folder, which is a
// repository, and without a container.
func checkReproducible(t *testing.T, files string, img *image) {
	dir := filepath.Join(t.TempDir(), "another", "folder")
	for _, args := range [][]string{
		{"mkdir", "-p", dir},
		{"cp", "-a", files + "/.", dir},
		{"git", "init", "-q", dir},
		{"git", "-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "Another commit"},
		{"env", "GOFLAGS=-buildvcs=true", "make", "-s", "-C", dir, "build", "VERSION=" + testVersion, "COMMIT=" + testCommit, "DATE=" + testDate},
	} {
		run(t, args[0], args[1:]...)
	}
	one, err := os.ReadFile(filepath.Join(dir, "bin", "sluice"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(img.root, "sluice"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Errorf("make build gives other bytes than the image has: %d and %d", len(one), len(other))
	}
}

func checkRun(t *testing.T, img *image) {
	volume := filepath.Join(t.TempDir(), "volume")
	// As an engine does with a new volume: it begins as the folder of the image, with its owner.
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(img.root, "var/lib/sluice"), volume).CombinedOutput(); err != nil {
		t.Fatalf("make a volume: %v %s", err, out)
	}
	env, mounts := []string{"SLUICE_LISTEN=" + ownLoopback()}, []string{volume + "=/var/lib/sluice"}
	healthy := func() (string, error) {
		out, err := img.command(t.Context(), mounts, env, img.exec["HEALTHCHECK"]...).CombinedOutput()
		return string(out), err
	}
	if out, err := healthy(); err == nil {
		t.Errorf("healthy before it runs: %s", out)
	}
	daemon := img.command(context.Background(), mounts, env, append(img.exec["ENTRYPOINT"], img.exec["CMD"]...)...)
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	deadline := time.After(time.Minute)
	for said, err := healthy(); err != nil; said, err = healthy() {
		select {
		case err := <-ended:
			t.Fatalf("the daemon ended: %v\n%s", err, &log)
		case <-deadline:
			_ = daemon.Process.Kill() // the test fails anyway
			t.Fatalf("the daemon does not become healthy: %s", said)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if _, err := os.Stat(filepath.Join(volume, "sluice.db")); err != nil {
		t.Errorf("the data is not in the volume: %v", err)
	}
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after SIGTERM it ended with %v\n%s", err, &log)
		}
	case <-time.After(time.Minute):
		_ = daemon.Process.Kill() // the test fails anyway
		t.Error("SIGTERM does not end it")
	}
	if out, err := healthy(); err == nil {
		t.Errorf("healthy after its end: %s", out)
	}
}

// ownLoopback is an address of this machine that no other test has: all of 127.0.0.0/8
// leads here, so that the port can be that of the image.
func ownLoopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:5000", 100+pid>>14&63, pid>>7&127, 1+pid&127)
}
