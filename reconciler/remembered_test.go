package reconciler_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/reconciler"
)

// readsOfAll counts how often all profiles of the source are read.
func readsOfAll(w *world) *int {
	n := 0
	w.store.failing = func(op string) error {
		if op == "SourceProfiles" {
			n++
		}
		return nil
	}
	return &n
}

func TestAllProfilesAreReadOnlyWhenTheyMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := readsOfAll(w)
	for _, step := range []struct {
		what  string
		files files
		want  int
	}{
		{"the first sync", many(9), 1},
		{"a change", files{"profiles/p1.yaml": doc("p1", "x: 99")}, 0},
		{"a new file", files{"profiles/new.yaml": doc("new", "x: 1")}, 0},
		{"a change of the new file", files{"profiles/new.yaml": doc("new", "x: 2")}, 0},
		{"a broken one", files{"profiles/p2.yaml": broken}, 0},
		{"a mended one", files{"profiles/p2.yaml": doc("p2", "x: 3")}, 0},
		{"a file that is gone", files{"profiles/p3.yaml": gone}, 1},
		{"a moved one", files{"profiles/p4.yaml": gone, "profiles/moved.yaml": doc("p4", "x: 4")}, 1},
		{"a change of the moved one", files{"profiles/moved.yaml": doc("p4", "x: 5")}, 0},
	} {
		*all = 0
		w.commit(step.what, step.files)
		w.sync()
		if *all != step.want {
			t.Errorf("%s: all profiles were read %d times, want %d", step.what, *all, step.want)
		}
	}
	*all = 0
	w.r = w.reconciler()
	w.commit("after a restart", files{"profiles/p1.yaml": doc("p1", "x: 100")})
	if w.sync(); *all != 1 {
		t.Errorf("a new process read all profiles %d times, want once", *all)
	}
}

// What another replica or a person did meanwhile counts, whatever is remembered.
func TestWhatIsRememberedIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1"), "profiles/c.yaml": doc("c", "x: 1")})
	retired := w.store.data.profiles["a"]
	retired.Retired = true
	w.store.data.profiles["a"] = retired
	w.report()
	w.commit("a is back", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.sync()
	if facts := w.report(); !strings.Contains(facts, "profile.returned:a") || !strings.Contains(facts, "version a 1.0.1") {
		t.Errorf("a retired profile's file changed:\n%s", facts)
	}

	all := readsOfAll(w)
	w.commit("another replica has it", files{"profiles/b.yaml": doc("b", "x: 2")})
	other := w.reconciler()
	if _, err := other.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	*all = 0
	w.commit("and this one goes on", files{"profiles/c.yaml": doc("c", "x: 2")})
	if w.sync(); *all != 1 {
		t.Errorf("after another replica's pass all profiles were read %d times, want once", *all)
	}

	w.commit("lost", files{"profiles/c.yaml": doc("c", "x: 3")})
	boom := errors.New("disk full")
	w.store.failing = func(op string) error {
		if op == "Commit" {
			return boom
		}
		return nil
	}
	if _, err := w.r.Sync(t.Context()); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	all = readsOfAll(w)
	if w.sync(); *all != 1 {
		t.Errorf("after a pass that was not stored all profiles were read %d times, want once", *all)
	}
}

// sickGit panics or fails when one file is read.
type sickGit struct {
	*gitsource.Mirror
	sick string
	err  error // nil: it panics
}

func (g sickGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if path != g.sick {
		return g.Mirror.Read(ctx, commit, path)
	}
	if g.err == nil {
		panic("out of luck")
	}
	return nil, g.err
}

// Where many files are read side by side, what goes wrong with one ends the pass as
// it does where they are few.
func TestManyFilesFailAsFewDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ err, want error }{
		"a panic":  {nil, reconciler.ErrPanic},
		"an error": {gitsource.ErrCorrupt, gitsource.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.commit("start", many(100))
			w.r = w.reconciler(func(o *reconciler.Options) { o.Git = sickGit{w.git, "profiles/p50.yaml", c.err} })
			if _, err := w.r.Sync(t.Context()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "profiles/p50.yaml") && c.err != nil {
				t.Errorf("Sync: %v, want %v", err, c.want)
			}
			if n := len(w.store.data.profiles); n != 0 {
				t.Errorf("%d profiles are stored", n)
			}
			w.r = w.reconciler()
			w.sync()
			if n := len(w.store.data.profiles); n != 100 {
				t.Errorf("%d profiles are stored after it works again, want 100", n)
			}
		})
	}
}
