package gitsource_test

import (
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/gitsource"
)

// fork is one history to merge: a base and two commits that were made from it, each as its files.
type fork struct{ base, ours, theirs map[string]string }

// forks makes forks in a repository and fetches them: every commit is behind main, so that one fetch brings all.
type forks struct {
	*repo
	m    *gitsource.Mirror
	tip  string
	seen int
}

func newForks(t *testing.T) *forks {
	r := newRepo(t)
	tip := r.commit("start", nil)
	return &forks{repo: r, m: open(t, r.options()), tip: tip}
}

// make returns the commits of a fork.
func (f *forks) make(k fork) (base, ours, theirs string) {
	f.t.Helper()
	f.seen++
	var b strings.Builder
	commit := func(mark int, name string, parents string, files map[string]string) {
		fmt.Fprintf(&b, "commit refs/forks/%s\nmark :%d\ncommitter Grace <grace@example.com> %d +0000\ndata %d\n%s\n%sdeleteall\n",
			name, mark, 1_767_323_046+f.seen, len(name), name, parents)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			mode, content := "100644", files[path]
			if rest, ok := strings.CutPrefix(content, "mode="); ok {
				mode, content = rest[:6], rest[6:]
			}
			fmt.Fprintf(&b, "M %s inline %s\ndata %d\n%s\n", mode, path, len(content), content)
		}
		b.WriteString("\n")
	}
	name := fmt.Sprint(f.seen)
	commit(1, name+"/base", "", k.base)
	commit(2, name+"/ours", "from :1\n", k.ours)
	commit(3, name+"/theirs", "from :1\n", k.theirs)
	commit(4, name+"/tip", "from "+f.tip+"\nmerge :2\nmerge :3\n", nil)
	b.WriteString("get-mark :1\nget-mark :2\nget-mark :3\nget-mark :4\n")
	marks := strings.Fields(f.gitInput(b.String(), "fast-import", "--quiet", "--force", "--cat-blob-fd=1"))
	f.tip = marks[3]
	f.git("update-ref", "refs/heads/main", f.tip)
	if _, err := f.m.Fetch(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return marks[0], marks[1], marks[2]
}

// byGit merges two commits with git itself: the tree, and whether it is clean. It follows renames, so forks hold none.
func (f *forks) byGit(ours, theirs string) (tree string, clean bool) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "git", "merge-tree", "--write-tree", "--no-messages", ours, theirs)
	cmd.Dir, cmd.Env = f.dir, gitEnv(f.dir)
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || e.ExitCode() != 1) {
		f.t.Fatalf("git merge-tree: %v\n%s", err, e.Stderr)
	}
	tree, _, _ = strings.Cut(string(out), "\n")
	return tree, err == nil
}

// files lists a tree as git does: hash and path.
func (f *forks) files(tree string) []string {
	f.t.Helper()
	var out []string
	for line := range strings.Lines(f.git("ls-tree", "-r", "--format=%(objectname) %(path)", tree)) {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// compare merges a fork both ways and reports where they disagree.
func (f *forks) compare(k fork) error {
	base, ours, theirs := f.make(k)
	merge, err := f.m.Merge(f.t.Context(), ours, theirs)
	if err != nil {
		return err
	}
	if merge.Base != base || merge.Into != ours || merge.From != theirs {
		return fmt.Errorf("merge %+v of %s, %s, %s", merge, base, ours, theirs)
	}
	tree, clean := f.byGit(ours, theirs)
	if clean != (len(merge.Conflicts) == 0) {
		return fmt.Errorf("git finds it clean: %v; conflicts: %q", clean, merge.Conflicts)
	}
	if !clean {
		return f.unreadable(merge)
	}
	entries, err := merge.List(f.t.Context())
	if err != nil {
		return err
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Hash+" "+e.Path)
	}
	want := f.files(tree)
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(a[41:], b[41:]) })
	if !slices.Equal(got, want) {
		return fmt.Errorf("result %q, git has %q", got, want)
	}
	return f.readable(merge, tree)
}

func (f *forks) unreadable(merge *gitsource.Merge) error {
	for _, p := range merge.Conflicts {
		if b, err := merge.Read(f.t.Context(), p); !errors.Is(err, gitsource.ErrConflict) || b != nil {
			return fmt.Errorf("read conflicting %s: %q, %w", p, b, err)
		}
	}
	return nil
}

// readable reads what the merge changes, and compares the changes with git's own between the two trees.
func (f *forks) readable(merge *gitsource.Merge, tree string) error {
	list, err := merge.Changes(f.t.Context())
	if err != nil {
		return err
	}
	var got []string
	for _, c := range list {
		got = append(got, string(c.Kind[:1])+"\t"+c.Path)
		if c.Kind == gitsource.Deleted || c.Kind == gitsource.Invalid {
			continue
		}
		b, err := merge.Read(f.t.Context(), c.Path)
		if err != nil || string(b) == "" && c.NewHash != "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" {
			return fmt.Errorf("read %s: %q, %w", c.Path, b, err)
		}
		if id := fmt.Sprintf("%x", objectID("blob", b)); id != c.NewHash {
			return fmt.Errorf("%s has hash %s and is told to have %s", c.Path, id, c.NewHash)
		}
	}
	want := strings.Split(f.git("diff-tree", "-r", "--no-renames", "--name-status", merge.Into, tree), "\n")
	want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
	byPath := func(a, b string) int { return strings.Compare(a[2:], b[2:]) }
	slices.SortFunc(want, byPath)
	if !slices.Equal(got, want) {
		return fmt.Errorf("changes %q, git has %q", got, want)
	}
	return nil
}

func lines(s string) string { return strings.Join(strings.Fields(s), "\n") + "\n" }

func TestMergeIsGits(t *testing.T) {
	t.Parallel()
	f := newForks(t)
	one := func(s string) map[string]string { return map[string]string{"a.yaml": s} }
	for name, k := range map[string]fork{
		"far apart":            {one(lines("a b c d e f g h")), one(lines("X b c d e f g h")), one(lines("a b c d e f g Y"))},
		"side by side":         {one(lines("a b c d")), one(lines("a X c d")), one(lines("a b Y d"))},
		"one line between":     {one(lines("a b c d e")), one(lines("a X c d e")), one(lines("a b c Y e"))},
		"the same line":        {one(lines("a b c")), one(lines("a X c")), one(lines("a Y c"))},
		"the same change":      {one(lines("a b c")), one(lines("a X c")), one(lines("a X c"))},
		"same and another":     {one(lines("a b c d e f")), one(lines("a X c d e f")), one(lines("a X c d e Y"))},
		"both append":          {one(lines("a b")), one(lines("a b X")), one(lines("a b Y"))},
		"both append the same": {one(lines("a b")), one(lines("a b X")), one(lines("a b X"))},
		"both prepend":         {one(lines("a b")), one(lines("X a b")), one(lines("Y a b"))},
		"no line break at end": {one("a\nb\nc\nd"), one("X\nb\nc\nd"), one("a\nb\nc\nd\n")},
		"only the line break":  {one("a\nb"), one("a\nb\n"), one("a\nc")},
		"deleted and changed":  {one(lines("a b")), nil, one(lines("a c"))},
		"changed and deleted":  {one(lines("a b")), one(lines("a c")), nil},
		"deleted by both":      {one("a"), nil, nil},
		"deleted by one":       {one("a"), one("a"), nil},
		"added by both":        {nil, one("a\n"), one("b\n")},
		"added by both alike":  {nil, one("a\n"), one("a\n")},
		"added, one empty":     {nil, one(""), one("b\n")},
		"emptied and changed":  {one(lines("a b")), one(""), one(lines("a c"))},
		"block moved":          {one(lines("{ a } { b } { c }")), one(lines("{ b } { a } { c }")), one(lines("{ a } { b } { c X }"))},
		"repeated lines":       {one(lines("k v k v k v")), one(lines("k v k v k v k v")), one(lines("k v k X k v"))},
		"inserted in repeats":  {one(lines("{ x } { x }")), one(lines("{ x } { y } { x }")), one(lines("{ x } { x } { x }"))},
		"windows line breaks":  {one("a\r\nb\r\nc\r\n"), one("X\r\nb\r\nc\r\n"), one("a\r\nb\r\nY\r\n")},
		"binary":               {one("a\x00\nb\nc\n"), one("X\x00\nb\nc\n"), one("a\x00\nb\nY\n")},
		"made executable":      {one(lines("a b c")), one("mode=100755" + lines("a b c")), one(lines("a b X"))},
		"link and change":      {one(lines("a b c")), one("mode=120000target"), one(lines("a b X"))},
		"links both":           {one("mode=120000x"), one("mode=120000y"), one("mode=120000z")},
		"link untouched":       {one("mode=120000x"), map[string]string{"a.yaml": "mode=120000x", "b.yaml": "1"}, map[string]string{"a.yaml": "mode=120000x", "c.yaml": "1"}},
		"file to folder": {map[string]string{"d": "1", "x": "1"}, map[string]string{"d": "1", "x": "2"},
			map[string]string{"d/e": "1", "x": "1"}},
		"file and folder": {map[string]string{"x": "1"}, map[string]string{"d": "1", "x": "1"}, map[string]string{"d/e": "1", "x": "1"}},
		"folder to file and gone": {map[string]string{"d/e": "1", "x": "1"}, map[string]string{"x": "1"},
			map[string]string{"d": "2", "x": "1"}},
		"deep":           {map[string]string{"p/q/r/a": lines("a b c d e"), "p/q/s/b": "1"}, map[string]string{"p/q/r/a": lines("X b c d e"), "p/q/s/b": "1"}, map[string]string{"p/q/r/a": lines("a b c d Y"), "p/q/s/b": "2"}},
		"folder emptied": {map[string]string{"d/a": "1", "d/b": "1", "x": "1"}, map[string]string{"d/a": "1", "x": "1"}, map[string]string{"d/b": "1", "x": "1"}},
		"root emptied":   {map[string]string{"a": "1", "b": "1"}, map[string]string{"a": "1"}, map[string]string{"b": "1"}},
		"sorted as git":  {map[string]string{"d/a": "1", "d.x": "1", "d0": "1"}, map[string]string{"d/a": "2", "d.x": "1", "d0": "1"}, map[string]string{"d/a": "1", "d.x": "2", "d0": "1"}},
	} {
		if err := f.compare(k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Few different lines make many ways to read a change: the merge must read them as git does.
func TestRandomMergesAreGits(t *testing.T) {
	t.Parallel()
	f := newForks(t)
	line := rapid.SampledFrom([]string{"{", "}", "", "a: 1", "b: 2", "c: 3", "d: 4", "e: 5"})
	lines := rapid.SliceOfN(line, 0, 24)
	text := func(name string, lines []string) string { // no line of one file is in another: git would see renames
		var b strings.Builder
		for _, line := range lines {
			b.WriteString(line + " #" + name + "\n")
		}
		return b.String()
	}
	edit := rapid.Custom(func(t *rapid.T) []any {
		return []any{rapid.IntRange(0, 30).Draw(t, "at"), rapid.IntRange(0, 4).Draw(t, "drop"), rapid.SliceOfN(line, 0, 3).Draw(t, "insert")}
	})
	edited := func(t *rapid.T, label string, base []string) []string {
		out := slices.Clone(base)
		for _, e := range rapid.SliceOfN(edit, 0, 3).Draw(t, label) {
			at := min(e[0].(int), len(out))
			out = slices.Replace(out, at, min(at+e[1].(int), len(out)), e[2].([]string)...)
		}
		return out
	}
	names := []string{"a.yaml", "b.yaml", "d/a.yaml", "d/b.yaml", "d", "d.x"}
	random := rapid.Custom(func(t *rapid.T) fork {
		k := fork{map[string]string{}, map[string]string{}, map[string]string{}}
		for _, name := range names {
			base := lines.Draw(t, name)
			for i, files := range []map[string]string{k.base, k.ours, k.theirs} {
				content := base
				if i > 0 {
					content = edited(t, name, base)
				}
				if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
					files[name] = text(name, content)
				}
			}
		}
		for _, files := range []map[string]string{k.base, k.ours, k.theirs} {
			if _, ok := files["d"]; ok && rapid.Bool().Draw(t, "d is a file") {
				delete(files, "d/a.yaml")
				delete(files, "d/b.yaml")
			} else {
				delete(files, "d")
			}
		}
		return k
	})
	for i := range 40 { // each costs four processes
		k := random.Example(i)
		if err := f.compare(k); err != nil {
			t.Fatalf("%v\nbase %q\nours %q\ntheirs %q", err, k.base, k.ours, k.theirs)
		}
	}
}

// What the merge does otherwise than git, it says.
func TestMergeFollowsNoRenames(t *testing.T) {
	t.Parallel()
	f := newForks(t)
	text := lines("a b c d e f")
	_, ours, theirs := f.make(fork{map[string]string{"a.yaml": text}, map[string]string{"b.yaml": text}, map[string]string{"a.yaml": text + "g\n"}})
	merge, err := f.m.Merge(t.Context(), ours, theirs)
	if err != nil || !slices.Equal(merge.Conflicts, []string{"a.yaml"}) {
		t.Errorf("Merge = %+v, %v, want a conflict at a.yaml", merge, err)
	}
	if _, err := merge.Read(t.Context(), "a.yaml"); !errors.Is(err, gitsource.ErrConflict) || !strings.Contains(err.Error(), "deleted on one side") {
		t.Errorf("Read = %v, want ErrConflict that says why", err)
	}
}
