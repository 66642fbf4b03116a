package reconciler_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
)

func TestARewrittenBranchIsNeverGuessedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{
		"profiles/same.yaml": doc("same", "x: 1"), "profiles/differs.yaml": doc("differs", "x: 1"),
		"profiles/gone.yaml": doc("gone", "x: 1"), "profiles/moves.yaml": doc("moves", "x: 1"),
		"profiles/breaks.yaml": doc("a", "x: 1"),
	})
	old := w.run("rev-parse", "HEAD")
	w.run("checkout", "-q", "--orphan", "other")
	w.run("rm", "-rfq", ".")
	w.commit("history is bunk", files{
		"profiles/same.yaml": doc("same", "x: 1"), "profiles/differs.yaml": doc("differs", "x: 2"),
		"profiles/new.yaml": doc("new", "x: 1"), "profiles/moved.yaml": doc("moves", "x: 1"),
		"profiles/breaks.yaml": broken,
	})
	w.run("branch", "-f", "main")
	if res := w.sync(); !res.Whole || !res.Changed {
		t.Errorf("result %+v, want the whole tree compared", res)
	}
	const text = `profiles/breaks.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)`
	w.expect(`
		version differs 1.0.1 by c2
		profile gone retired true
		profile moves moved to profiles/moved.yaml
		profile new at profiles/new.yaml
		version new 1.0.0 by c2
		deployment differs 1.0.1 by c2 over 1.0.0
		deployment new 1.0.0 by c2
		problem a: ` + text + `
		status c2 sluice/a failure: ` + text + `
		status c2 sluice/differs pending: (deployment)
		status c2 sluice/gone success: retired: the file left Git, what runs stays
		status c2 sluice/moves success: moved from profiles/moves.yaml
		status c2 sluice/new pending: (deployment)
		facts deployment.created:differs deployment.created:new source.rewritten:configs profile.invalid:a version.created:differs@1.0.1 profile.moved:moves profile.created:new version.created:new@1.0.0 profile.retired:gone`)
	for _, f := range w.store.data.facts {
		if f.Type == reconciler.FactSourceRewritten && (f.Details["from"] != old || f.Details["to"] != w.shas["c2"]) {
			t.Errorf("fact %+v, want both heads named", f)
		}
	}
}

func TestAResetBranchTakesTheOldContentAsANewVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	w.commit("more", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.sync()
	w.report()
	w.run("reset", "-q", "--hard", "HEAD^")
	for what, git := range map[string]*gitsource.Mirror{"one that has the newer commit": w.git, "one that never saw it": w.mirror(gitsource.DefaultLimits())} {
		w.git = git
		w.r = w.reconciler()
		if res := w.sync(); res.Changed || res.Again <= 0 || res.Head != w.shas["c2"] {
			t.Errorf("%s: %+v, want to look again before the branch is followed", what, res)
		}
		w.expect(``)
	}
	w.r = w.reconciler(func(o *reconciler.Options) { o.Source.RewindAfter = time.Nanosecond })
	w.sync()
	w.expect(`
		version a 1.0.2 by c1
		deployment a 1.0.1 is Superseded: superseded by 1.0.2
		deployment a 1.0.2 by c1 over 1.0.0 proven
		status c1 sluice/a pending: (deployment)
		facts deployment.created:a source.rewritten:configs version.created:a@1.0.2`)
}

// repoint starts the daemon anew with another path in the source's settings.
func (w *world) repoint(path string) {
	w.t.Helper()
	w.git = w.mirrorOf(path, gitsource.Limits{})
	w.r = w.reconciler(func(o *reconciler.Options) { o.Source.Path = path })
}

func TestAnotherFolderIsReadAtOnce(t *testing.T) {
	t.Parallel()
	start := files{
		"profiles/a.yaml": doc("a", "x: 1"), "profiles/deep/b.yaml": doc("b", "x: 1"), "profiles/deep/c.yaml": doc("c", "x: 1"),
		"services/d.yaml": doc("d", "x: 1"),
	}
	for _, c := range []struct{ rule, path, want string }{
		{
			"one that holds more", "", `profile d at services/d.yaml
			version d 1.0.0 by c1
			deployment d 1.0.0 by c1
			status c1 sluice/d pending: (deployment)
			facts deployment.created:d source.moved:configs profile.created:d version.created:d@1.0.0`,
		},
		{
			"one that holds less", "profiles/deep/", `profile a retired true
			status c1 sluice/a success: retired: the file left Git, what runs stays
			facts source.moved:configs profile.retired:a`,
		},
		{
			"one that holds others, which is a mass deletion as well", "services", `profile d at services/d.yaml
			version d 1.0.0 by c1
			deployment d 1.0.0 by c1
			deployment a 1.0.0 by c1 Retirement over 1.0.0 proven, guard: would retire 3 of 3 profiles
			deployment b 1.0.0 by c1 Retirement over 1.0.0 proven, guard: would retire 3 of 3 profiles
			deployment c 1.0.0 by c1 Retirement over 1.0.0 proven, guard: would retire 3 of 3 profiles
			status c1 sluice/a pending: (deployment)
			status c1 sluice/b pending: (deployment)
			status c1 sluice/c pending: (deployment)
			status c1 sluice/d pending: (deployment)
			facts deployment.created:d deployment.created:a deployment.created:b deployment.created:c source.moved:configs profile.created:d version.created:d@1.0.0 retirement.guarded:configs`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(start)
			w.repoint(c.path)
			if res := w.sync(); !res.Whole {
				t.Errorf("result %+v, want the whole tree compared", res)
			}
			w.expect(c.want)
			w.sync()
			w.expect("")
			w.commit("later", files{"services/d.yaml": doc("d", "x: 2"), "profiles/deep/b.yaml": doc("b", "x: 2")})
			if res := w.sync(); res.Whole {
				t.Errorf("result %+v of the next commit, want what it changed", res)
			}
		})
	}
}

func TestAFolderWithoutProfilesRetiresNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "docs/notes.md": "none"})
	w.repoint("profile")
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, reconciler.ErrNoProfiles) {
		t.Fatalf("Sync: %v, want ErrNoProfiles", err)
	}
	w.expect("")
	if got := w.store.data.failures["configs"]; !strings.Contains(got, `"profile"`) {
		t.Errorf("recorded %q, want the folder named", got)
	}
	w.repoint("profiles")
	w.sync()
	w.expect("")
}

func TestTooManyCommitsAreComparedByTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.git = w.mirror(gitsource.Limits{MaxCommitsPerSync: 2})
	w.r = w.reconciler()
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	for _, x := range []string{"x: 2", "x: 3", "x: 4"} {
		w.commit("change", files{"profiles/a.yaml": doc("a", x)})
	}
	w.sync()
	w.expect(`
		version a 1.0.1 by c4
		deployment a 1.0.1 by c4 over 1.0.0
		status c4 sluice/a pending: (deployment)
		facts deployment.created:a source.skipped:configs version.created:a@1.0.1`)
}

func TestAMergeIsOneCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
	w.run("checkout", "-q", "-b", "topic")
	w.commit("one", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.commit("two", files{"profiles/a.yaml": doc("a", "x: 3")})
	w.run("checkout", "-q", "main")
	w.commit("main", files{"profiles/b.yaml": doc("b", "x: 2")})
	w.run("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from topic", "topic")
	w.named(w.run("rev-parse", "HEAD"))
	w.sync()
	w.expect(`
		version a 1.0.1 by c5
		version b 1.0.1 by c4
		deployment a 1.0.1 by c5 over 1.0.0
		deployment b 1.0.1 by c4 over 1.0.0
		status c4 sluice/b pending: (deployment)
		status c5 sluice/a pending: (deployment)
		facts deployment.created:a deployment.created:b version.created:b@1.0.1 version.created:a@1.0.1`)
	if d := w.store.data.deployments[2]; d.Profile != "a" || d.PullRequest != 7 {
		t.Errorf("deployment of %s, pull request %d; want a, 7", d.Profile, d.PullRequest)
	}
}

func TestAGoneBranchLeavesEverythingAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	w.run("checkout", "-q", "-b", "elsewhere")
	w.run("branch", "-D", "main")
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, gitsource.ErrBranchGone) {
		t.Fatalf("Sync: %v, want ErrBranchGone", err)
	}
	w.expect(``)
	if got := w.store.data.failures["configs"]; got != "branch main is gone" {
		t.Errorf("recorded %q", got)
	}
	w.run("branch", "main")
	w.sync()
	w.expect(``)
	if got := w.store.data.failures["configs"]; got != "" {
		t.Errorf("recorded %q after the branch came back, want nothing", got)
	}
}

func TestAnEmptyRepositoryIsAFailureOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, gitsource.ErrEmptyRepository) && !errors.Is(err, gitsource.ErrBranchGone) {
		t.Fatalf("Sync: %v, want ErrEmptyRepository", err)
	}
	if got := w.store.data.failures["configs"]; got == "" {
		t.Error("nothing is recorded")
	}
}

// countingGit counts what is read of a mirror.
type countingGit struct {
	*gitsource.Mirror
	mu      sync.Mutex // files are read side by side
	reads   []string
	listed  int
	fetched int
}

func (g *countingGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	g.mu.Lock()
	g.reads = append(g.reads, path)
	g.mu.Unlock()
	return g.Mirror.Read(ctx, commit, path)
}

func (g *countingGit) List(ctx context.Context, commit string) ([]gitsource.Entry, error) {
	g.listed++
	return g.Mirror.List(ctx, commit)
}

func (g *countingGit) Fetch(ctx context.Context) (string, error) {
	g.fetched++
	return g.Mirror.Fetch(ctx)
}

func TestOnlyWhatChangedIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	git := &countingGit{Mirror: w.git}
	w.r = w.reconciler(func(o *reconciler.Options) { o.Git = git })
	start := many(30)
	start["profiles/base.yaml"] = base("y: 1")
	start["profiles/a.yaml"] = doc("a", "x: 1", "extends: [base.yaml]")
	w.commit("start", start)
	w.sync()
	// Files are read side by side: a base may be read for itself at the moment when one that extends it asks.
	bases := strings.Count(strings.Join(git.reads, " "), "base.yaml")
	if want := len(start) - 1; len(git.reads)-bases != want || bases < 1 || bases > 2 || git.listed != 1 {
		t.Errorf("the first sync read %d files, %d times the base, and listed %d times, want %d other files, each once, and 1", len(git.reads), bases, git.listed, want)
	}
	git.reads, git.listed, git.fetched = nil, 0, 0
	w.commit("one", files{"profiles/a.yaml": doc("a", "x: 2", "extends: [base.yaml]")})
	w.sync()
	if got := strings.Join(git.reads, " "); got != "profiles/a.yaml profiles/base.yaml" || git.listed != 0 {
		t.Errorf("a change of one file read %q and listed %d times, want it and its base alone", got, git.listed)
	}
	git.reads, git.listed, git.fetched = nil, 0, 0
	w.sync()
	if len(git.reads)+git.listed+git.fetched != 0 {
		t.Errorf("no change read %d files, listed %d and fetched %d times, want nothing", len(git.reads), git.listed, git.fetched)
	}
}
