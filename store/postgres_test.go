package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// emptyDatabase is one without a schema.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	return testenv.SharedPostgres(t).CreateDatabase(t, "")
}

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dump is the schema as PostgreSQL itself writes it.
func dump(t *testing.T, url string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testenv.PostgresProgram(t, "pg_dump"), "--schema-only", "--no-comments", url).Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^\\(un)?restrict .*$`).ReplaceAllString(string(out), "")
}

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	var group sync.WaitGroup
	for range 4 {
		s := open(t, url)
		group.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := open(t, url).CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestThePlainSQLIsTheSchema(t *testing.T) {
	t.Parallel()
	migrated, plain := emptyDatabase(t), emptyDatabase(t)
	if err := open(t, migrated).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := store.PostgresSQL()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schema.sql")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), testenv.PostgresProgram(t, "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", file, plain).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if dump(t, plain) != dump(t, migrated) {
		t.Error("psql made another schema than the migrations do")
	}
	s := open(t, plain)
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("migrating it afterwards: %v", err)
	}
}

func TestPostgresIsMigratedDownAndUpAgain(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	s := open(t, url)
	if err := s.CheckSchema(t.Context()); !errors.Is(err, store.ErrOlder) {
		t.Errorf("an empty database gave %v, want ErrOlder", err)
	}
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m, err := s.MigrateDown(t.Context()); err != nil || m.Version != 1 {
			t.Fatalf("taken back was %+v, %v", m, err)
		}
	}
	if left := regexp.MustCompile(`CREATE (TABLE|FUNCTION|TYPE) \S+`).FindAllString(dump(t, url), -1); len(left) != 1 {
		t.Errorf("left are %q, want the list of migrations alone", left)
	}
	if _, err := s.MigrateDown(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("taking back what is not there gave %v", err)
	}
}

// PostgreSQL's texts hold no NUL and nothing that is not UTF-8, but commit
// messages and the errors of instances do.
func TestTextThatPostgresDoesNotTake(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const foul = "a\x00b\xffc"
		v := w.version("1.2.0", "1s")
		v.Message, v.Author = foul, foul
		w.must(w.InsertVersion(t.Context(), v))
		w.register("i-1")
		w.create("1.1.0")
		a := ack(w.assign("i-1", "1.1.0"))
		a.OK, a.Error = false, foul
		w.acknowledge(a)
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened", EntityID: foul, Actor: foul, Details: map[string]any{"x": foul}}))
		if _, broken, err := w.VerifyAudit(t.Context()); broken != nil || err != nil {
			t.Errorf("verify says %+v, %v", broken, err)
		}
		if err := w.RecordSourceFailure(t.Context(), "configs", foul); err != nil {
			t.Error(err)
		}
	})
}

// A crowd that has every connection is not in the way of a rollback.
func TestARollbackHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	s, err := store.Open(t.Context(), store.Options{URL: w.path, Connections: 2, Now: w.clock})
	w.must(err)
	t.Cleanup(func() { w.must(s.Close()) })
	w.register("i-1")
	d := w.create("1.1.0")

	crowd, disperse := context.WithCancel(t.Context())
	var group sync.WaitGroup
	holding := make(chan struct{}, 64)
	for range 32 {
		group.Go(func() {
			s.InTx(crowd, func(*store.Tx) error { //nolint:errcheck // most of them wait in vain, as they should
				holding <- struct{}{}
				<-crowd.Done()
				return crowd.Err()
			})
		})
		group.Go(func() {
			s.Profiles(crowd, store.ProfileFilter{}) //nolint:errcheck // readers, who may fail
		})
	}
	<-holding
	ctx, cancel := context.WithTimeout(store.Urgent(t.Context()), 5*time.Second)
	defer cancel()
	next := w.deployment("1.0.0")
	next.Kind = rollout.Rollback
	if err := s.Create(ctx, rollout.Decision{Next: next, Changed: true,
		Assign: []rollout.Assign{{InstanceID: "i-1", Version: next.Version, Hash: next.Hash}}}); err != nil {
		t.Errorf("the rollback waits behind the crowd: %v", err)
	}
	if got, err := s.Deployment(ctx, d.ID); err != nil || got.State != rollout.Superseded {
		t.Errorf("the deployment is %s, %v", got.State, err)
	}
	disperse()
	group.Wait()
}

// Whatever makes the database go away, the store says so, and goes on when it
// is back.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	t.Parallel()
	server := testenv.NewPostgres(t)
	s := open(t, server.CreateDatabase(t, ""))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	write := func() error { return s.Record(t.Context(), rollout.Fact{Type: "test.happened"}) }
	read := func() error { _, err := s.Sources(t.Context()); return err }
	for name, end := range map[string]func(testing.TB){"killed": server.Kill, "stopped": server.Stop} {
		end(t)
		for what, call := range map[string]func() error{"write": write, "read": read, "ping": func() error { return s.Ping(t.Context()) }} {
			if err := call(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s while it is %s gave %v, want ErrUnavailable", what, name, err)
			}
		}
		server.Start(t)
		if err := write(); err != nil {
			t.Errorf("a write after it was %s: %v", name, err)
		}
	}
	if n, broken, err := s.VerifyAudit(t.Context()); n != 2 || broken != nil || err != nil {
		t.Errorf("verify says %d, %+v, %v", n, broken, err)
	}
}

// A network that swallows everything costs bounded time, and no goroutine.
func TestADatabaseThatHangsCostsBoundedTime(t *testing.T) { // counts goroutines: not parallel
	server := testenv.NewPostgres(t)
	s := open(t, server.CreateDatabase(t, ""))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	server.Freeze(t)
	calls := map[string]func(context.Context) error{
		"a write": func(ctx context.Context) error { return s.Record(ctx, rollout.Fact{Type: "test.happened"}) },
		"a read":  func(ctx context.Context) error { _, err := s.Sources(ctx); return err },
	}
	for name, call := range calls {
		patient := make(chan error, 1)
		go func() { patient <- call(t.Context()) }() // without a deadline of its own
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := call(hurried); !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with a deadline gave %v", name, err)
		}
		cancel()
		select {
		case err := <-patient:
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s without a deadline gave %v, want ErrUnavailable", name, err)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("%s hangs", name)
		}
	}
	server.Thaw(t)
	for name, call := range calls {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for runtime.NumGoroutine() > before+20 {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// A standby, or a disk that is full, takes no writes; reads go on.
func TestADatabaseThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	w.must(w.raw(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`))
	s := open(t, w.path)
	if err := s.Record(t.Context(), rollout.Fact{Type: "test.happened"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a write gave %v, want ErrUnavailable", err)
	}
	if _, err := s.Profile(t.Context(), payments); err != nil {
		t.Errorf("a read: %v", err)
	}
	w.must(w.raw(`SET TRANSACTION READ WRITE; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$`))
	w.eventually("writes to go through again", func() bool {
		return s.Record(t.Context(), rollout.Fact{Type: "test.happened"}) == nil
	})
}

// What is wrong with a URL is told without its secrets.
func TestAPostgresURLThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"simple protocol": "postgres://u:canary@127.0.0.1:1/d?default_query_exec_mode=simple_protocol",
		"bad port":        "postgres://u:canary@127.0.0.1:x/d",
		"bad escape":      "postgres://u:can%ary@127.0.0.1:1/d",
		"bad option":      "postgres://u@127.0.0.1:1/d?password=canary&connect_timeout=soon",
		"nobody there":    "postgres://u:canary@127.0.0.1:1/d?sslmode=disable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), store.Options{URL: url})
			if err == nil {
				t.Fatal("it was opened", s.Close())
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "can%ary") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

// Two replicas whose clocks differ agree on leases: the time is the database's.
func TestLeasesAreByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	url := testenv.SharedPostgres(t).CreateDatabase(t, "")
	a, b := open(t, url), open(t, url)
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, driver: "pgx", path: url, Store: a, now: time.Now()}
	w.furnish()
	w.create("1.1.0")
	w.claimOne("a")
	if claims, err := b.ClaimDue(t.Context(), "b", time.Minute, 10); err != nil || len(claims) != 0 {
		t.Fatalf("b claimed %+v, %v, which a holds", claims, err)
	}
	w.must(w.raw(`UPDATE config_deployments SET lease_until = clock_timestamp() - interval '1 second'`))
	if claims, err := b.ClaimDue(t.Context(), "b", time.Minute, 10); err != nil || len(claims) != 1 || claims[0].Epoch != 2 {
		t.Errorf("b claimed %+v, %v, want it with the next epoch", claims, err)
	}
	for _, s := range []*store.Store{a, b} {
		now, err := s.Now(t.Context())
		w.must(err)
		if apart := time.Since(now).Abs(); apart > 10*time.Second { // it is one machine
			t.Errorf("the database's clock is %v away", apart)
		}
	}
}

// Two profiles of one commit that end at the same moment: the commit's
// aggregate says what both came to.
func TestTheAggregateOfACommitSeesEveryProfile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for round := range 10 {
			sha := strings.Repeat("0", 38) + string(rune('a'+round/10)) + string(rune('a'+round%10))
			set := func(context string, state rollout.StatusState) error {
				return w.InTx(t.Context(), func(tx *store.Tx) error {
					return tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: sha, Context: context, State: state, Description: string(state)})
				})
			}
			contexts := []string{"sluice/a", "sluice/b", "sluice/c"}
			w.must(w.InTx(t.Context(), func(tx *store.Tx) error {
				for _, c := range contexts {
					if err := tx.SetStatus(t.Context(), rollout.Status{Source: "configs", Commit: sha, Context: c, State: rollout.StatusPending, Description: "waits"}); err != nil {
						return err
					}
				}
				return nil
			}))
			w.must(errors.Join(race(len(contexts), func(i int) error { return set(contexts[i], rollout.StatusSuccess) })...))
			list, err := w.CommitStatuses(t.Context(), sha)
			w.must(err)
			if list[0].Context != rollout.AggregateContext || list[0].State != rollout.StatusSuccess {
				t.Fatalf("the aggregate is %s: %s", list[0].State, list[0].Description)
			}
		}
	})
}

// An instance that joins while a version becomes the current one gets either,
// and is never without one.
func TestAnInstanceThatJoinsWhileADeploymentEnds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		for round := range 8 {
			number := []string{"1.1.0", "1.0.0"}[round%2]
			d := w.create(number)
			claim := w.claimOne("a")
			d = w.read(d.ID)
			v, err := w.Version(t.Context(), payments, number)
			w.must(err)
			id := "joins-" + string(rune('a'+round))
			w.must(errors.Join(race(2, func(i int) error {
				if i == 0 {
					w.register(id)
					return nil
				}
				done := d
				done.State, done.FinishedAt, done.Progress = rollout.Completed, w.clock(), rollout.Progress{}
				err := w.Step(t.Context(), claim, rollout.Decision{Next: done, Changed: true, Current: v.Number})
				if errors.Is(err, rollout.ErrStale) {
					return nil
				}
				return err
			})...))
			a := w.assignment(id)
			r, err := w.Profile(t.Context(), payments)
			w.must(err)
			after := w.read(d.ID)
			if after.State.Final() && a.Version != r.CurrentVersion {
				t.Fatalf("it completed with %s current, and the instance that joined is left with %s", r.CurrentVersion, a.Version)
			}
			if !after.State.Final() {
				w.must(w.Order(t.Context(), rollout.Decision{Next: func() rollout.Deployment {
					after.State, after.FinishedAt = rollout.Cancelled, w.clock()
					return after
				}(), Changed: true}))
			}
		}
	})
}

// A migration that was interrupted before the outbox had its tables is not done.
func TestASchemaWithoutItsOutboxIsNotUpToDate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(w.CheckSchema(t.Context()))
		w.must(w.raw(`DELETE FROM river_migration WHERE version > 1`))
		if err := w.CheckSchema(t.Context()); !errors.Is(err, store.ErrOlder) || !strings.Contains(err.Error(), "outbox") {
			t.Errorf("got %v, want ErrOlder of the outbox", err)
		}
	})
}

// A statement that the URL gives more time is not cut off by this end.
func TestAStatementMayBeGivenMoreTime(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	w.must(w.raw(`ALTER TABLE users RENAME TO the_users; CREATE VIEW users AS SELECT the_users.* FROM the_users, pg_sleep(6)`))
	w.must(w.raw(`INSERT INTO the_users (name, role, password_hash, created_at) VALUES ('ada', 'Admin', 'h', now())`))
	if _, err := open(t, w.path).User(t.Context(), "ada"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without more time: %v, want ErrUnavailable", err)
	}
	if _, err := open(t, w.path+"&statement_timeout=30000").User(t.Context(), "ada"); err != nil {
		t.Errorf("with more time: %v", err)
	}
}
