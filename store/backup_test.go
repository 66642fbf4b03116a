package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A copy is of one moment, however much is written meanwhile, and opens as a
// database of its own.
func TestBackupWhileOthersWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.finish("1.0.0", 1)
	w.register("before")
	ctx, stop := context.WithCancel(t.Context())
	begun := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			id := fmt.Sprintf("meanwhile-%d", i)
			hash := sha256.Sum256([]byte(id))
			if err := w.RegisterInstance(context.WithoutCancel(ctx), fleet.Instance{
				ID: id, Service: "payment-service", Environment: profile.Production, Hostname: id,
			}, hash[:]); err != nil {
				t.Error(err)
			}
			if i == 20 {
				close(begun)
			}
		}
	})
	<-begun
	to := filepath.Join(t.TempDir(), "copy.db")
	reader, err := store.Open(t.Context(), store.Options{URL: w.path, ReadOnly: true}) // as sluice backup does
	w.must(err)
	contents, err := reader.Backup(t.Context(), to)
	w.must(errors.Join(err, reader.Close()))
	stop()
	writer.Wait()
	if contents.Audit < 20 || contents.Rows["service_instances"] < 20 || contents.Rows["config_versions"] != 2 || contents.Schema == 0 {
		t.Errorf("it holds %+v", contents)
	}
	info, err := os.Stat(to)
	w.must(err)
	if info.Mode() != 0o600 || info.Size() != contents.Bytes {
		t.Errorf("the file is %s, %d bytes, not %d", info.Mode(), info.Size(), contents.Bytes)
	}
	w.onlyFile(to)
	c := &world{t: t, driver: w.driver, path: to, now: w.clock()}
	c.Store, err = store.Open(t.Context(), store.Options{URL: to, Now: c.clock})
	w.must(err)
	defer func() { w.must(c.Close()) }()
	w.must(c.Migrate(t.Context()))
	if n, broken, err := c.VerifyAudit(t.Context()); n != contents.Audit || broken != nil || err != nil {
		t.Errorf("verify says %d, %+v, %v", n, broken, err)
	}
	if given, err := c.AssignmentsOf(t.Context(), "before"); err != nil || len(given) != 1 || given[0].Version != "1.0.0" {
		t.Errorf("an instance is given %+v, %v", given, err)
	}
	c.finish("1.1.0", 1)
}

// onlyFile fails the test when anything is beside the file.
func (w *world) onlyFile(path string) {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	w.must(err)
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			w.t.Errorf("%s was left behind", e.Name())
		}
	}
}

func (w *world) backup() string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "copy.db")
	_, err := w.Backup(w.t.Context(), to)
	w.must(err)
	return to
}

func TestABackupOverwritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.db")
	for _, name := range []string{"copy.db", "copy.db.partial"} {
		w.must(os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600))
		if _, err := w.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("over %s it gave %v", name, err)
		}
		if kept, err := os.ReadFile(filepath.Join(dir, name)); string(kept) != "mine" {
			t.Errorf("%s holds %q, %v", name, kept, err)
		}
		w.must(os.Remove(filepath.Join(dir, name)))
	}
	if _, err := w.Backup(t.Context(), filepath.Join(dir, "none", "copy.db")); err == nil {
		t.Error("it went to a folder that is not there")
	}
}

// Somebody's tampering is told, and is no reason to be without a backup.
func TestABackupSaysThatItsAuditLogIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Record(t.Context(), rollout.Fact{Type: "x"}))
	w.must(w.raw(`DROP TRIGGER config_audit_logs_immutable; UPDATE config_audit_logs SET user_id = 'nobody'`))
	to := filepath.Join(t.TempDir(), "copy.db")
	contents, err := w.Backup(t.Context(), to)
	w.must(err)
	if contents.Broken == nil || contents.Broken.ID != 1 || contents.Rows["config_audit_logs"] != 1 {
		t.Errorf("it says %+v", contents)
	}
	if _, err := os.Stat(to); err != nil {
		t.Error(err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("i-1")
	d := w.create("1.0.0")
	w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Current: "1.0.0",
		Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}}}))
	from := w.backup()
	told := w.generation("i-1")
	target := filepath.Join(t.TempDir(), "new", "sluice.db")
	for round := range 3 {
		r, err := store.Restore(t.Context(), store.RestoreOptions{From: from, To: target, Replace: round > 0, Now: w.clock})
		w.must(err)
		if r.Profiles != 1 || r.Rows["service_instances"] != 1 || r.Path != target || (r.Aside == "") != (round == 0) {
			t.Errorf("it says %+v", r)
		}
		restored := &world{t: t, driver: w.driver, path: target, now: w.clock()}
		restored.Store, err = store.Open(t.Context(), store.Options{URL: target, Now: restored.clock})
		w.must(err)
		w.must(restored.Migrate(t.Context()))
		now := restored.generation("i-1")
		if now < told+1000 {
			t.Errorf("restored, the generation is %d; the instance knows %d", now, told)
		}
		p, err := restored.Profile(t.Context(), payments)
		if err != nil || p.Generation != now {
			t.Errorf("the profile's generation is %d, its assignment's %d, %v", p.Generation, now, err)
		}
		if _, broken, err := restored.VerifyAudit(t.Context()); broken != nil || err != nil {
			t.Errorf("verify says %+v, %v", broken, err)
		}
		restored.deliver("i-1", "1.1.0")
		told = restored.generation("i-1") // the same backup is restored again: it rises above this one too
		w.must(restored.Close())
		w.advance(day)
	}
	asides, err := filepath.Glob(target + ".before-*")
	w.must(err)
	if len(asides) != 2 {
		t.Errorf("the databases before are %v", asides)
	}
	for _, aside := range asides {
		old, err := store.Open(t.Context(), store.Options{URL: aside, ReadOnly: true})
		w.must(err)
		if n, broken, err := old.VerifyAudit(t.Context()); n == 0 || broken != nil || err != nil {
			t.Errorf("%s: %d, %+v, %v", aside, n, broken, err)
		}
		w.must(old.Close())
	}
}

func (w *world) generation(instance string) int64 {
	w.t.Helper()
	given, err := w.AssignmentsOf(w.t.Context(), instance)
	w.must(err)
	if len(given) != 1 {
		w.t.Fatalf("instance %s has %d assignments", instance, len(given))
	}
	return given[0].Generation
}

// deliver assigns a version to an instance.
func (w *world) deliver(instance, number string) {
	w.t.Helper()
	d := w.deployment(number)
	w.must(w.Create(w.t.Context(), rollout.Decision{Next: d, Changed: true,
		Assign: []rollout.Assign{{InstanceID: instance, Version: d.Version, Hash: d.Hash}}}))
}

// What is refused leaves everything as it was.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	source := newWorld(t)
	source.must(source.Record(t.Context(), rollout.Fact{Type: "x"}))
	good, err := os.ReadFile(source.backup())
	source.must(err)
	tampered := func(statement string) func(w *world, from string) {
		return func(w *world, from string) { w.must((&world{t: w.t, driver: "sqlite", path: from}).raw(statement)) }
	}
	for want, c := range map[string]struct {
		harm    func(w *world, from string)
		replace bool
	}{
		"exists already":               {func(*world, string) {}, false},
		"in use by another process":    {nil, true}, // the world has it open
		"no such file":                 {func(w *world, from string) { w.must(os.Remove(from)) }, true},
		"not a database":               {func(w *world, from string) { w.must(os.WriteFile(from, []byte(strings.Repeat("x", 4096)), 0o600)) }, true},
		"no database of Sluice's":      {func(w *world, from string) { w.must(os.WriteFile(from, nil, 0o600)) }, true},
		"malformed":                    {func(w *world, from string) { w.must(os.Truncate(from, int64(len(good)/2))) }, true},
		"not a backup (there is":       {func(w *world, from string) { w.must(os.WriteFile(from+"-wal", nil, 0o600)) }, true},
		"of a newer release":           {tampered(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`), true},
		"audit log is broken at row 1": {tampered(`DROP TRIGGER config_audit_logs_immutable; UPDATE config_audit_logs SET user_id = 'x'`), true},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			from := filepath.Join(t.TempDir(), "copy.db")
			w.must(os.WriteFile(from, good, 0o600))
			if c.harm != nil {
				w.must(w.Close())
				c.harm(w, from)
			}
			before, err := os.ReadFile(w.path)
			w.must(err)
			_, err = store.Restore(t.Context(), store.RestoreOptions{From: from, To: w.path, Replace: c.replace})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it gave %v, want %q", err, want)
			}
			after, err := os.ReadFile(w.path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the database was touched: %v", err)
			}
			left, err := filepath.Glob(w.path + ".*")
			if err != nil || len(left) != 1 { // its lock
				t.Errorf("beside the database are %v, %v", left, err)
			}
		})
	}
}

// What a killed daemon left in the journal belongs to the database before, not
// to the one that takes its place.
func TestRestoreDoesNotTakeTheJournalOfTheDatabaseBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := w.backup()
	w.addVersion("1.2.0", "1s") // in the journal only
	killed := filepath.Join(t.TempDir(), "sluice.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(w.path + suffix)
		w.must(err)
		w.must(os.WriteFile(killed+suffix, content, 0o600))
	}
	r, err := store.Restore(t.Context(), store.RestoreOptions{From: from, To: killed, Replace: true})
	w.must(err)
	for path, want := range map[string]bool{killed: false, r.Aside: true} {
		db, err := store.Open(t.Context(), store.Options{URL: path})
		w.must(err)
		if _, err := db.Version(t.Context(), payments, "1.2.0"); (err == nil) != want {
			t.Errorf("%s: the version of the journal gave %v", filepath.Base(path), err)
		}
		w.must(db.Close())
	}
}

// After a restore every generation is above what was ever told, and an instance
// that runs what it is given says so anew.
func TestRaiseGenerations(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 2)
		before := w.assignment("i-1")
		for range 2 {
			n, err := w.RaiseGenerations(t.Context(), "restored by other means")
			w.must(err)
			after := w.assignment("i-1")
			if n != 1 || after.Generation < before.Generation+1_000_000 || after.Version != before.Version || after.Acknowledged() {
				t.Errorf("of %d profiles, the assignment was %+v and is %+v", n, before, after)
			}
			if told := ack(before); w.acknowledge(told) { // it said so before
				t.Errorf("word on generation %d counts for %d", told.Generation, after.Generation)
			}
			if !w.acknowledge(ack(after)) || !w.assignment("i-1").Acknowledged() {
				t.Error("the instance's word on the new generation was not taken")
			}
			before = w.assignment("i-1")
		}
		w.register("new")
		if g := w.assignment("new").Generation; g != before.Generation {
			t.Errorf("who joins is given generation %d, the others have %d", g, before.Generation)
		}
		events, _, err := w.Audit(t.Context(), store.AuditFilter{EventType: store.FactRestored})
		if err != nil || len(events) != 2 {
			t.Errorf("the audit log says %+v, %v", events, err)
		}
	})
}
