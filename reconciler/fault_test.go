package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// busy is a push that makes use of everything that a transaction can do.
func busy(t *testing.T, change ...func(*reconciler.Options)) *world {
	w := newWorld(t, change...)
	start := many(6)
	start["profiles/a.yaml"] = doc("a", "x: 1")
	start["profiles/bad.yaml"] = strings.Replace(broken, "name: a", "name: bad", 1)
	w.deployed(start)
	w.commit("bad", files{"profiles/a.yaml": doc("a", "x: 2"), "profiles/p0.yaml": doc("p0", "x: 2")})
	w.sync()
	w.store.finish(t, "a", rollout.RolledBack)
	w.report()
	w.commit("much", files{
		"profiles/a.yaml": doc("a", "x: 3"), "profiles/p0.yaml": gone, "profiles/bad.yaml": gone,
		"profiles/p1.yaml": strings.Replace(broken, "name: a", "name: p1", 1),
	})
	return w
}

func TestASyncIsAllOrNothing(t *testing.T) {
	t.Parallel()
	ops := []string{
		"SourceHead", "SourceMoved", "SourceProfiles", "NamedProfiles", "LatestVersion", "Version", "Proven", "ActiveHold", "ActiveDeployment", "Problems",
		"Now", "MoveHead", "Tx.ActiveHold", "Tx.ActiveDeployment", "PutProfile", "InsertVersion", "CreateDeployment",
		"SupersedeActive", "ReleaseHold", "RetireProfile", "SetStatus", "Record", "PutProblem", "ClearProblem", "Commit",
	}
	for _, op := range ops {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			w := busy(t)
			boom := errors.New("disk full")
			before, failed := w.store.data.clone(), false
			w.store.failing = func(o string) error {
				if o == op {
					failed = true
					return boom
				}
				return nil
			}
			if _, err := w.r.Sync(t.Context()); !errors.Is(err, boom) {
				t.Fatalf("Sync: %v, want the store's error", err)
			}
			if !failed {
				t.Fatalf("%s was never called", op)
			}
			w.store.failing = nil
			if got := w.store.data.failures["configs"]; !strings.Contains(got, "disk full") {
				t.Errorf("recorded %q, want the reason", got)
			}
			before.failures = w.store.data.failures
			if !reflect.DeepEqual(w.store.data, before) {
				t.Errorf("something was written")
			}
			if w.sync(); w.store.data.failures["configs"] != "" {
				t.Errorf("recorded %q after it works again", w.store.data.failures["configs"])
			}
			w.expect(busyWant)
		})
	}
}

const busyWant = `
	version a 1.0.2 by c3
	profile p0 retired true
	deployment p0 1.0.1 is Superseded: the file left Git
	deployment a 1.0.2 by c3 over 1.0.0
	hold a ended
	problem p1: profiles/p1.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
	mended profiles/bad.yaml
	status c3 sluice/a pending: (deployment)
	status c3 sluice/p0 success: retired: the file left Git, what runs stays
	status c3 sluice/p1 failure: profiles/p1.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
	facts deployment.created:a version.created:a@1.0.2 profile.invalid:p1 profile.retired:p0`

// crash is what a test's crash point panics with: the pass ends there, as in a
// killed process, and nothing of it may be left.
type crash struct{ point string }

// crashAt has a process end at a point.
func crashAt(point string) func(string) {
	return func(passed string) {
		if passed == point {
			panic(crash{point})
		}
	}
}

func TestACrashLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"K1", "K3", "K4"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			armed := false
			w := busy(t, func(o *reconciler.Options) {
				o.Fail = func(p string) {
					if armed && p == point {
						armed = false
						panic(crash{point})
					}
				}
			})
			before := w.store.data.clone()
			armed = true
			if _, err := w.r.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) {
				t.Fatalf("Sync: %v, want the crash at %s", err, point)
			}
			before.failures = w.store.data.failures
			if !reflect.DeepEqual(w.store.data, before) {
				t.Error("something was written")
			}
			w.r = w.reconciler() // another process
			w.sync()
			w.expect(busyWant)
		})
	}
}

func TestAPanicIsContainedAndCounted(t *testing.T) {
	t.Parallel()
	panicked, failures := 0, 0
	w := newWorld(t, func(o *reconciler.Options) {
		o.Fail = func(string) { panic("out of luck") }
		o.Metrics.Panicked = func(string) { panicked++ }
		o.Metrics.SyncDone = func(_ context.Context, _ string, _ time.Duration, err error) {
			if err != nil {
				failures++
			}
		}
	})
	w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1")})
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, reconciler.ErrPanic) || !strings.Contains(err.Error(), "out of luck") {
		t.Fatalf("Sync: %v, want ErrPanic", err)
	}
	if panicked != 1 || failures != 1 {
		t.Errorf("%d panics and %d failures counted, want 1 and 1", panicked, failures)
	}
}

func TestAnotherReplicaIsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	w.commit("one", files{"profiles/a.yaml": doc("a", "x: 2")})
	other := w.reconciler(func(o *reconciler.Options) { o.Locker = nil })
	w.store.beforeTx = func(*fakeStore) {
		if _, err := other.Sync(t.Context()); err != nil {
			t.Errorf("the other's Sync: %v", err)
		}
	}
	if res := w.sync(); res.Changed {
		t.Errorf("result %+v, want nothing left to do", res)
	}
	w.expect(`
		version a 1.0.1 by c2
		deployment a 1.0.1 by c2 over 1.0.0
		status c2 sluice/a pending: (deployment)
		facts deployment.created:a version.created:a@1.0.1`)
}

func TestAPlanRestsOnWhatIsTrueWhenItIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule      string
		meanwhile rollout.State // of the deployment of 1.0.1 (x: 2)
		next      string        // data of the commit that is planned
		want      string
	}{
		{
			"a rollback meanwhile: its hold is ended by other content",
			rollout.RolledBack, "x: 3",
			`version a 1.0.2 by c3
			deployment a 1.0.1 is RolledBack:
			deployment a 1.0.2 by c3 over 1.0.0
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.2`,
		},
		{
			"a completion meanwhile: it is what the next goes back to",
			rollout.Completed, "x: 3",
			`version a 1.0.2 by c3
			deployment a 1.0.1 is Completed:
			deployment a 1.0.2 by c3 over 1.0.1
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.2`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
			w.commit("one", files{"profiles/a.yaml": doc("a", "x: 2")})
			w.sync()
			w.report()
			w.commit("two", files{"profiles/a.yaml": doc("a", c.next)})
			w.store.beforeTx = func(s *fakeStore) { s.finish(t, "a", c.meanwhile) }
			w.sync()
			w.expect(c.want)
			if len(w.store.data.holds) != 0 {
				t.Errorf("holds %v, want none", w.store.data.holds)
			}
		})
	}
}

func TestAStoreThatAlwaysChangesIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1")})
	w.store.failing = func(op string) error {
		if op == "MoveHead" {
			return rollout.ErrStale
		}
		return nil
	}
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, rollout.ErrStale) {
		t.Fatalf("Sync: %v, want ErrStale", err)
	}
}

// errLocker has no lock to give.
type errLocker struct{ err error }

func (l errLocker) Lock(context.Context, string, time.Duration) (func(), error) { return nil, l.err }

func TestTheLockOnlySavesWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		locker  coord.Locker
		skipped bool
	}{
		{"held by another: nothing to do", errLocker{coord.ErrHeld}, true},
		{"out of order: the compare-and-set decides", errLocker{errors.New("connection refused")}, false},
		{"none at all", nil, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *reconciler.Options) { o.Locker = c.locker })
			w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1")})
			if res := w.sync(); res.Skipped != c.skipped || res.Changed == c.skipped {
				t.Errorf("result %+v, want skipped %v", res, c.skipped)
			}
		})
	}
}

// faultyGit fails one of its operations.
type faultyGit struct {
	*gitsource.Mirror
	op  string
	err error
}

func (g faultyGit) fail(op string) error {
	if op == g.op {
		return g.err
	}
	return nil
}

func (g faultyGit) Head(ctx context.Context) (string, error) {
	if err := g.fail("Head"); err != nil {
		return "", err
	}
	return g.Mirror.Head(ctx)
}

func (g faultyGit) Fetch(ctx context.Context) (string, error) {
	if err := g.fail("Fetch"); err != nil {
		return "", err
	}
	return g.Mirror.Fetch(ctx)
}

func (g faultyGit) Walk(ctx context.Context, from, to string) ([]gitsource.Commit, error) {
	if err := g.fail("Walk"); err != nil {
		return nil, err
	}
	return g.Mirror.Walk(ctx, from, to)
}

func (g faultyGit) Changes(ctx context.Context, from, to string) ([]gitsource.Change, error) {
	if err := g.fail("Changes"); err != nil {
		return nil, err
	}
	return g.Mirror.Changes(ctx, from, to)
}

func (g faultyGit) List(ctx context.Context, commit string) ([]gitsource.Entry, error) {
	if err := g.fail("List"); err != nil {
		return nil, err
	}
	return g.Mirror.List(ctx, commit)
}

func (g faultyGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if err := g.fail("Read"); err != nil && strings.HasSuffix(path, "base.yaml") == strings.Contains(err.Error(), "base") {
		return nil, err
	}
	return g.Mirror.Read(ctx, commit, path)
}

func TestGitThatFailsJudgesNoProfile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ op, why string }{
		{"Head", "remote failed"}, {"Fetch", "remote failed"}, {"Walk", "mirror is corrupted"}, {"Changes", "mirror is corrupted"},
		{"Read", "mirror is corrupted"}, {"Read", "base is corrupted"},
	} {
		t.Run(c.op+" "+c.why, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(files{"profiles/a.yaml": doc("a", "x: 1", "extends: [base.yaml]"), "profiles/base.yaml": base("y: 1")})
			w.commit("change", files{"profiles/a.yaml": doc("a", "x: 2", "extends: [base.yaml]")})
			cause := errors.New(c.why)
			r := w.reconciler(func(o *reconciler.Options) { o.Git = faultyGit{w.git, c.op, cause} })
			if _, err := r.Sync(t.Context()); !errors.Is(err, cause) {
				t.Fatalf("Sync: %v, want Git's error", err)
			}
			w.expect(``)
			if got := w.store.data.failures["configs"]; !strings.Contains(got, c.why) {
				t.Errorf("recorded %q, want %q in it", got, c.why)
			}
		})
	}
}

func TestWhatCannotBeRecordedIsNoSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1")})
	boom := errors.New("disk full")
	w.store.failing = func(op string) error {
		if op == "RecordSourceFailure" {
			return boom
		}
		return nil
	}
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, boom) {
		t.Fatalf("Sync: %v, want the store's error", err)
	}
}

func TestTracesAndMetrics(t *testing.T) {
	t.Parallel()
	var told []string
	w := newWorld(t, func(o *reconciler.Options) {
		o.Metrics = reconciler.Metrics{
			SyncDone: func(_ context.Context, source string, _ time.Duration, err error) {
				told = append(told, fmt.Sprint("done ", source, " ", err))
			},
			Lag:                func(_ string, d time.Duration) { told = append(told, fmt.Sprint("lag ", d > 0)) },
			VersionsMade:       func(_ string, n int) { told = append(told, fmt.Sprint("versions ", n)) },
			ValidationFailures: func(_ string, n int) { told = append(told, fmt.Sprint("failures ", n)) },
		}
	})
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	w.commit("change", files{"profiles/a.yaml": doc("a", "x: 2"), "profiles/b.yaml": strings.Replace(broken, "name: a", "name: b", 1)})
	told = nil
	id := trace.TraceID{1, 2, 3}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}}))
	if _, err := w.r.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"lag true", "lag false", "versions 1", "failures 1", "done configs <nil>"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if d := w.store.data.deployments[1]; d.TraceID != id.String() {
		t.Errorf("deployment with trace %q, want %s", d.TraceID, id)
	}
	for _, f := range w.store.data.facts[4:] {
		if f.TraceID != id.String() {
			t.Errorf("fact %s with trace %q, want %s", f.Type, f.TraceID, id)
		}
	}
}

// A commit is on its way from when its head is seen: passes that fail make the
// source lag, and the deployment says when it began.
func TestAChangeIsOnItsWayFromWhenItIsSeen(t *testing.T) {
	t.Parallel()
	var lag time.Duration
	validated := 0
	w := newWorld(t, func(o *reconciler.Options) {
		o.Metrics.Lag = func(_ string, d time.Duration) { lag = d }
		o.Metrics.Validated = func(context.Context, time.Duration) { validated++ }
	})
	w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	boom := errors.New("disk full")
	w.store.failing = func(op string) error {
		if op == "MoveHead" {
			return boom
		}
		return nil
	}
	began := time.Now()
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, boom) {
		t.Fatalf("Sync: %v, want the store's error", err)
	}
	failed := time.Since(began)
	if lag <= 0 || validated != 2 {
		t.Errorf("a source that is seen and not synced lags by %s; %d files were validated", lag, validated)
	}
	w.store.failing = nil
	w.sync()
	if lag != 0 {
		t.Errorf("a source in sync lags by %s", lag)
	}
	d := w.store.data.deployments[0]
	if ago := d.CreatedAt.Sub(d.SeenAt); ago <= 0 || ago > failed+time.Since(began) {
		t.Errorf("the commit was seen %s before its deployment", ago)
	}
}

// wildGit panics when one file is read.
type wildGit struct {
	*gitsource.Mirror
	path string
}

func (g wildGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if path == g.path {
		panic("index out of range")
	}
	return g.Mirror.Read(ctx, commit, path)
}

func TestAPanicOverOneFileStopsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.r = w.reconciler(func(o *reconciler.Options) { o.Git = wildGit{w.git, "profiles/base.yaml"} })
	w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1", "extends: [base.yaml]"), "profiles/b.yaml": doc("b", "x: 1")})
	w.sync()
	w.expect(`
		profile b at profiles/b.yaml
		version b 1.0.0 by c1
		deployment b 1.0.0 by c1
		problem : profiles/a.yaml: internal error: reading this file panicked
		status c1 sluice/b pending: (deployment)
		status c1 sluice/profiles/a.yaml failure: profiles/a.yaml: internal error: reading this file panicked
		facts deployment.created:b profile.invalid:profiles/a.yaml profile.created:b version.created:b@1.0.0`)
}

// A replica that was slow between its fetch and its write, as one that was paused, finds that another
// one went on to a newer commit. It must not take the source back to what it fetched.
func TestASlowReplicaDoesNotTakeTheSourceBack(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"at a push": false, "at the first sync": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.commit("first", files{"profiles/a.yaml": doc("a", "x: 1")})
			if !first {
				w.sync()
				w.commit("second", files{"profiles/a.yaml": doc("a", "x: 2")})
			}
			passed := false
			slow := w.reconciler(func(o *reconciler.Options) {
				o.Git, o.Locker = w.mirror(gitsource.Limits{}), nil
				o.Fail = func(point string) {
					if point != "K3" || passed {
						return
					}
					passed = true
					w.commit("newest", files{"profiles/a.yaml": doc("a", "x: 3")})
					w.sync() // by the other one
				}
			})
			if _, err := slow.Sync(t.Context()); err != nil || !passed {
				t.Fatalf("Sync: %v", err)
			}
			versions := w.store.data.versions["a"]
			if head, newest := w.store.data.heads["configs"], w.run("rev-parse", "main"); head != newest {
				t.Errorf("the source is at %s, and the branch at %s", w.named(head), w.named(newest))
			}
			if last := versions[len(versions)-1]; fmt.Sprint(last.Data["x"]) != "3" {
				t.Errorf("the newest version is %s of %v", last.Number, last.Data)
			}
		})
	}
}
