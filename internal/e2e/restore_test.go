package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sluicefleet "github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// sluice runs a command of the program on the daemon's data folder and returns
// what it printed.
func (d *daemon) sluice(args ...string) (string, error) {
	d.t.Helper()
	cmd := exec.Command(d.program, append(args, "--data-dir", d.data)...)
	cmd.Dir = filepath.Dir(d.log)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *daemon) must(out string, err error) string {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// A backup is taken beside the daemon, a change goes out, the disk is lost. On
// the restored database the fleet, which has been told more than the database
// remembers, takes the change again, and the next one.
func TestABackupBringsTheFleetBack(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	copied := filepath.Join(t.TempDir(), "sluice.backup")
	if out := s.must(s.sluice("backup", "--to", copied)); !strings.Contains(out, "config_versions      1 rows") {
		t.Errorf("it printed\n%s", out)
	}
	forgotten := s.change(automatic, "servus")
	s.concludes(forgotten, "Completed")
	s.everywhere("1.0.1")
	told := s.fleet.members[0].now().generation

	if out, err := s.sluice("restore", "--from", copied, "--force"); err == nil || !strings.Contains(out, "in use by another process: stop the daemon first") {
		t.Errorf("beside the daemon a restore gave %v\n%s", err, out)
	}
	s.kill()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(s.data, "sluice.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s.must(s.sluice("restore", "--from", copied))
	s.must(s.sluice("audit", "verify"))
	s.offline(func(db *store.Store) {
		p, err := db.Profile(t.Context(), shop)
		if err != nil || p.CurrentVersion != "1.0.0" || p.Generation <= told {
			t.Errorf("restored, the profile is on %s at generation %d, %v; an instance was told of %d", p.CurrentVersion, p.Generation, err, told)
		}
	})

	s.start()
	s.api = s.signIn()
	s.concludes(forgotten, "Completed") // Git still says so
	s.everywhere("1.0.1")
	next := s.change(automatic, "moin")
	s.concludes(next, "Completed")
	s.everywhere("1.0.2")
	s.generationsOnlyRise()
	for _, m := range s.fleet.members {
		if e := m.now(); e.generation <= told || e.values.Greeting != "moin" {
			t.Errorf("instance %s is on %+v", m.name, e)
		}
	}
	if c := s.status(next, "sluice/"+shop); c.State != "success" {
		t.Errorf("the status is %+v", c)
	}
	s.stop()
	s.must(s.sluice("audit", "verify"))
}

// A database that runs is moved aside whole when another takes its place.
func TestARestoreMovesTheDatabaseAside(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	copied := filepath.Join(t.TempDir(), "sluice.backup")
	s.must(s.sluice("backup", "--to", copied))
	commit := s.change(byHand, "servus")
	s.awaitsPromotion(commit, 1)
	s.kill() // its journal stays
	if out, err := s.sluice("restore", "--from", copied); err == nil || !strings.Contains(out, "--force moves it aside") {
		t.Errorf("without --force it gave %v\n%s", err, out)
	}
	out := s.must(s.sluice("restore", "--from", copied, "--force"))
	asides, err := filepath.Glob(filepath.Join(s.data, "sluice.db.before-*Z"))
	if err != nil || len(asides) != 1 || !strings.Contains(out, fmt.Sprint("the database before is ", asides[0])) {
		t.Fatalf("aside are %v, %v; it printed\n%s", asides, err, out)
	}
	s.must(s.sluice("audit", "verify", "--database-url", asides[0]))
	s.start()
	s.awaitsPromotion(commit, 1) // it is found in Git again
	eventually(t, "all but the canary to run 1.0.0", func() bool { return s.fleet.running("1.0.0") == members-1 })
}

// What docs/backup.md says of PostgreSQL: dump, restore into a new database,
// raise the generations there.
func TestAPostgresDumpBringsTheDatabaseBack(t *testing.T) {
	t.Parallel()
	server := testenv.SharedPostgres(t)
	old, restored := server.CreateDatabase(t, ""), server.CreateDatabase(t, "")
	d := newDaemon(t, testenv.Binary(t))
	on := func(url string, args ...string) (string, error) {
		return d.sluice(append(args, "--database-url", url)...)
	}
	d.must(on(old, "migrate", "up"))
	assigned(t, old, func(db *store.Store) {
		data := profile.Data{"greeting": "hello"}
		v := profile.Version{Profile: shop, Number: "1.0.0", Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}
		if err := errors.Join(
			db.PutProfile(t.Context(), profile.Record{Name: shop, Service: "shop", Environment: profile.Staging, Origin: profile.OriginAPI}),
			db.InsertVersion(t.Context(), v),
			db.Create(t.Context(), rollout.Decision{Changed: true, Current: v.Number, Next: rollout.Deployment{
				ID: "d-1", Profile: shop, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending}}),
			db.RegisterInstance(t.Context(), sluicefleet.Instance{ID: "i-1", Service: "shop", Environment: profile.Staging, Hostname: "i-1"}, []byte("x")),
		); err != nil {
			t.Fatal(err)
		}
	})
	dump := filepath.Join(t.TempDir(), "sluice.dump")
	for _, command := range [][]string{
		{testenv.PostgresProgram(t, "pg_dump"), "-Fc", "-f", dump, old},
		{testenv.PostgresProgram(t, "pg_restore"), "--no-owner", "--exit-on-error", "-d", restored, dump},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, out)
		}
	}
	before := assigned(t, restored, nil)
	if out := d.must(on(restored, "restore", "--raise-generations")); !strings.Contains(out, "the generations of 1 profiles were raised") {
		t.Errorf("it printed\n%s", out)
	}
	if after := assigned(t, restored, nil); after.Version != "1.0.0" || after.Generation < before.Generation+1_000_000 {
		t.Errorf("the assignment was %+v and is %+v", before, after)
	}
	d.must(on(restored, "audit", "verify"))
	for _, args := range [][]string{{"backup", "--to", dump}, {"restore", "--from", dump}} {
		out, err := on(restored, args...)
		if err == nil || !strings.Contains(out, "docs/backup.md") || strings.Count(out, "\n") > 2 {
			t.Errorf("sluice %s: %v\n%s", args[0], err, out)
		}
	}
}

// assigned does something with a database, then reads what i-1 is assigned there.
func assigned(t *testing.T, url string, first func(db *store.Store)) sluicefleet.Assignment {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if first != nil {
		first(db)
	}
	list, err := db.AssignmentsOf(t.Context(), "i-1")
	if err != nil || len(list) != 1 {
		t.Fatalf("assignments %+v, %v", list, err)
	}
	return list[0]
}
