package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func TestASecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + w.path}); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	w.must(w.Close())
	again, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + w.path})
	w.must(err)
	w.must(again.Close())
}

func TestReadingBesideTheDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened"}))
	r, err := store.Open(t.Context(), store.Options{URL: w.path, ReadOnly: true})
	w.must(err)
	defer func() { w.must(r.Close()) }()
	if n, broken, err := r.VerifyAudit(t.Context()); n != 1 || broken != nil || err != nil {
		t.Errorf("verify says %d, %+v, %v", n, broken, err)
	}
	for what, write := range map[string]func() error{
		"a write":     func() error { return r.ReleaseHold(t.Context(), payments, "ada", "") },
		"a migration": func() error { return r.Migrate(t.Context()) },
	} {
		if err := write(); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s gave %v, want ErrReadOnly", what, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	if s, err := store.Open(t.Context(), store.Options{URL: missing, ReadOnly: true}); err == nil {
		t.Error("a database that is not there was opened", s.Close())
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made a file (%v)", err)
	}
}

// The file holds hashes of passwords and everybody's configuration.
func TestOnlyTheOwnerReadsTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(w.path + suffix)
		w.must(err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("sluice.db%s has mode %v", suffix, info.Mode())
		}
	}
}

// A full disk is an error, never a half-written truth, and passes.
func TestAFullDatabaseRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.create("1.1.0")
	w.must(w.Limit(t.Context(), 1))
	var failed error
	for range 200 {
		if failed = w.Record(t.Context(), rollout.Fact{Type: "test.filler", Details: map[string]any{"x": string(make([]byte, 4096))}}); failed != nil {
			break
		}
	}
	if failed == nil {
		t.Fatal("the database never filled up")
	}
	if !errors.Is(failed, store.ErrFull) || !errors.Is(failed, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrFull", failed)
	}
	if got := w.read(d.ID); got.Revision != d.Revision {
		t.Errorf("reading beside it gave %+v", got)
	}
	w.must(w.Limit(t.Context(), 1<<30))
	w.must(w.Record(t.Context(), rollout.Fact{Type: "test.after"}))
	w.sound()
}

func TestWrongURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "postgres://user:secret@db/sluice", "mysql://x"} {
		if s, err := store.Open(t.Context(), store.Options{URL: url}); err == nil {
			t.Errorf("%q was opened (%v)", url, s.Close())
		}
	}
}

// The lock is of the file, not of the name by which it is opened.
func TestASecondDaemonIsRefusedByAnyNameOfTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(w.path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{URL: link}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

// A file that is no database, and a place where none can be, are said to be so.
func TestWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte("this file is longer than a header, and it is no database at all. "+
		"this file is longer than a header, and it is no database at all."), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"a text file": text, "a folder": dir, "below a file": filepath.Join(text, "sluice.db"),
	} {
		s, err := store.Open(t.Context(), store.Options{URL: path})
		if err == nil {
			err = errors.Join(s.Migrate(t.Context()), s.Close())
		}
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s gave %v, want an error that names it", what, err)
		}
	}
}

// What was stored is there after a restart, and a claim of the process that was
// killed need not run out first.
func TestARestartGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.create("1.1.0")
	first := w.claimOne("a")
	restarted := w.copyOf()
	second := restarted.claimOne("b")
	if second.DeploymentID != d.ID || second.Epoch <= first.Epoch || second.Attempts != 2 {
		t.Errorf("after the restart the claim is %+v, before it was %+v", second, first)
	}
	if again := restarted.claim("c"); len(again) != 0 {
		t.Errorf("a claim of this process was handed back: %+v", again)
	}
}
