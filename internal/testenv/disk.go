package testenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Disk is a small disk of the test's own that can be filled.
type Disk struct {
	// Dir is where it is mounted.
	Dir     string
	ballast string
}

// NewDisk mounts one of so many megabytes in a new folder. It answers nil where
// nothing may be mounted: whoever asks has another way to a full disk then.
func NewDisk(t testing.TB, megabytes int) *Disk {
	t.Helper()
	dir := filepath.Join(openTestFolder(t), "disk")
	must(t, os.Mkdir(dir, 0o755))
	if err := mountSmall(dir, megabytes); err != nil {
		t.Logf("no disk can be mounted here: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	})
	return &Disk{Dir: dir, ballast: filepath.Join(dir, "ballast")}
}

// Fill leaves no byte free.
func (d *Disk) Fill(t testing.TB) {
	t.Helper()
	file, err := os.Create(d.ballast)
	must(t, err)
	for size := 1 << 20; size > 0; size /= 2 { // ever smaller, until the last byte is taken
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
	}
	if err := file.Close(); err != nil && !errors.Is(err, errNoSpace) {
		t.Fatal(err)
	}
}

// Free gives back what Fill took.
func (d *Disk) Free(t testing.TB) {
	t.Helper()
	must(t, os.Remove(d.ballast))
}

// NewPostgresOn starts a server whose tables are on the disk. Its journal is not:
// without room for it the server would end, as one that is killed does.
func NewPostgresOn(t testing.TB, disk *Disk) *Postgres {
	t.Helper()
	dir := filepath.Join(disk.Dir, "server")
	must(t, os.Mkdir(dir, 0o755))
	p, err := newPostgres(dir)
	must(t, err)
	journal, elsewhere := filepath.Join(p.DataDir(), "pg_wal"), filepath.Join(openTestFolder(t), "pg_wal")
	if out, err := exec.Command("cp", "-a", journal, elsewhere).CombinedOutput(); err != nil {
		t.Fatalf("copy the journal: %v\n%s", err, out)
	}
	must(t, errors.Join(os.RemoveAll(journal), os.Symlink(elsewhere, journal)))
	p.startUntilEnd(t)
	return p
}
