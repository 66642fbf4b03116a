package reconciler_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

const broken = "apiVersion: sluice/v1\nkind: ConfigProfile\nname: a\nservice: pay\nenvironment: Staging\nstratgy: {}\ndata: {x: 9}\n"

// brokenText is the first problem of broken at profiles/a.yaml.
const brokenText = `profiles/a.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)`

// lfsPointer is what Git has in place of a file that Git LFS keeps.
const lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	start := files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")}
	for _, c := range []struct {
		rule   string
		pushes [][]files // of commits
		want   string    // of the last push
	}{
		{
			"an invalid profile makes no version and stops nothing else of its commit",
			[][]files{{{"profiles/a.yaml": broken, "profiles/b.yaml": doc("b", "x: 2")}}},
			`version b 1.0.1 by c2
			deployment b 1.0.1 by c2 over 1.0.0
			problem a: ` + brokenText + `
			status c2 sluice/a failure: ` + brokenText + `
			status c2 sluice/b pending: (deployment)
			facts deployment.created:b profile.invalid:a version.created:b@1.0.1`,
		},
		{
			"a commit that leaves it broken hears nothing of it",
			[][]files{{{"profiles/a.yaml": broken}}, {{"README.md": "x"}}},
			`status c3 sluice success: no profile changed`,
		},
		{
			"a commit that breaks it otherwise hears so",
			[][]files{{{"profiles/a.yaml": broken}}, {{"profiles/a.yaml": strings.Replace(broken, "stratgy", "helth", 1)}}},
			`problem a: profiles/a.yaml:6:1: unknown field "helth", did you mean health? ($.helth)
			status c3 sluice/a failure: profiles/a.yaml:6:1: unknown field "helth", did you mean health? ($.helth)
			facts profile.invalid:a`,
		},
		{
			"a commit that touches it and leaves it broken hears so again",
			[][]files{{{"profiles/a.yaml": broken}}, {{"profiles/a.yaml": broken + "# more\n"}}},
			`status c3 sluice/a failure: ` + brokenText + `
			facts profile.invalid:a`,
		},
		{
			"mending it makes the version",
			[][]files{{{"profiles/a.yaml": broken}}, {{"profiles/a.yaml": doc("a", "x: 9")}}},
			`version a 1.0.1 by c3
			deployment a 1.0.1 by c3 over 1.0.0
			mended profiles/a.yaml
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.1`,
		},
		{
			"taking the break back makes none",
			[][]files{{{"profiles/a.yaml": broken}}, {{"profiles/a.yaml": doc("a", "x: 1")}}},
			`mended profiles/a.yaml
			status c3 sluice/a success: no change in effective data`,
		},
		{
			"broken and mended in one push: each commit hears its own",
			[][]files{{{"profiles/a.yaml": broken}, {"profiles/a.yaml": doc("a", "x: 9")}}},
			`version a 1.0.1 by c3
			deployment a 1.0.1 by c3 over 1.0.0
			status c2 sluice/a failure: ` + brokenText + `
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a profile.invalid:a version.created:a@1.0.1`,
		},
		{
			"a version before the break is deployed",
			[][]files{{{"profiles/a.yaml": doc("a", "x: 2")}, {"profiles/a.yaml": broken}}},
			`version a 1.0.1 by c2
			deployment a 1.0.1 by c2 over 1.0.0
			problem a: ` + brokenText + `
			status c2 sluice/a pending: (deployment)
			status c3 sluice/a failure: ` + brokenText + `
			facts deployment.created:a version.created:a@1.0.1 profile.invalid:a`,
		},
		{
			"what mends it may be another file",
			[][]files{
				{{"profiles/a.yaml": doc("a", "x: 1", "extends: [base.yaml]")}},
				{{"profiles/base.yaml": base("y: 1")}},
			},
			`version a 1.1.0 by c3
			deployment a 1.1.0 by c3 over 1.0.0
			mended profiles/a.yaml
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.1.0`,
		},
		{
			"too broken to say its name: the record of its path does",
			[][]files{{{"profiles/a.yaml": "kind: ConfigProfile\napiVersion: sluice/v1\n\tname: a\n"}}},
			`problem a: profiles/a.yaml:3:1: YAML syntax: a tab indents this line, where only spaces may
			status c2 sluice/a failure: profiles/a.yaml:3:1: YAML syntax: a tab indents this line, where only spaces may
			facts profile.invalid:a`,
		},
		{
			"too broken and new: its path is its name",
			[][]files{{{"profiles/new.yaml": "kind: ConfigProfile\nname: [\n"}}},
			`problem : profiles/new.yaml:2:1: YAML syntax: did not find expected node content
			status c2 sluice/profiles/new.yaml failure: profiles/new.yaml:2:1: YAML syntax: did not find expected node content
			facts profile.invalid:profiles/new.yaml`,
		},
		{
			"a broken file that goes away is forgotten",
			[][]files{{{"profiles/new.yaml": "kind: ConfigProfile\nname: [\n"}}, {{"profiles/new.yaml": gone}}},
			`mended profiles/new.yaml
			status c3 sluice success: no profile changed`,
		},
		{
			"a symbolic link is refused and never followed",
			[][]files{{{"profiles/link.yaml": "-> a.yaml", "profiles/folder": "-> ../outside", "profiles/README.md": "-> notes.md"}}},
			`problem : profiles/folder: file is not read: not a regular file: symbolic links are not followed
			problem : profiles/link.yaml: file is not read: not a regular file: symbolic links are not followed
			status c2 sluice/profiles/folder failure: profiles/folder: file is not read: not a regular file: symbolic links are not followed
			status c2 sluice/profiles/link.yaml failure: profiles/link.yaml: file is not read: not a regular file: symbolic links are not followed
			facts profile.invalid:profiles/folder profile.invalid:profiles/link.yaml`,
		},
		{
			"a profile that becomes a link keeps its last good version",
			[][]files{{{"profiles/a.yaml": "-> b.yaml"}}, {{"README.md": "x"}}},
			`status c3 sluice success: no profile changed`,
		},
		{
			"a profile that became a pointer of Git LFS keeps its last good version",
			[][]files{{{"profiles/a.yaml": lfsPointer, "profiles/b.yaml": doc("b", "x: 2")}}},
			`version b 1.0.1 by c2
			deployment b 1.0.1 by c2 over 1.0.0
			problem a: profiles/a.yaml: is a pointer of Git LFS now: only what Git itself holds is read, keep profiles out of LFS
			status c2 sluice/a failure: profiles/a.yaml: is a pointer of Git LFS now: only what Git itself holds is read, keep profiles out of LFS
			status c2 sluice/b pending: (deployment)
			facts deployment.created:b profile.invalid:a version.created:b@1.0.1`,
		},
		{
			"so does one that git-crypt encrypted, though all do",
			[][]files{{{"profiles/a.yaml": "\x00GITCRYPT\x00\x01\x02", "profiles/b.yaml": "\x00GITCRYPT\x00\x01\x03"}}},
			`problem a: profiles/a.yaml: is encrypted by git-crypt now, which is not read: refer to secrets, or encrypt values by sops
			problem b: profiles/b.yaml: is encrypted by git-crypt now, which is not read: refer to secrets, or encrypt values by sops
			status c2 sluice/a failure: profiles/a.yaml: is encrypted by git-crypt now, which is not read: refer to secrets, or encrypt values by sops
			status c2 sluice/b failure: profiles/b.yaml: is encrypted by git-crypt now, which is not read: refer to secrets, or encrypt values by sops
			facts profile.invalid:a profile.invalid:b`,
		},
		{
			"so does one that was emptied, until its text is back",
			[][]files{{{"profiles/a.yaml": "\n"}}, {{"README.md": "x"}}, {{"profiles/a.yaml": doc("a", "x: 1")}}},
			`mended profiles/a.yaml
			status c4 sluice/a success: no change in effective data`,
		},
		{
			"or the file is deleted",
			[][]files{{{"profiles/a.yaml": "\n"}}, {{"profiles/a.yaml": gone}}},
			`profile a retired true
			mended profiles/a.yaml
			status c3 sluice/a success: retired: the file left Git, what runs stays
			facts profile.retired:a`,
		},
		{
			"or the profile lies elsewhere",
			[][]files{{{"profiles/a.yaml": "\n"}}, {{"profiles/deep/a.yaml": doc("a", "x: 1")}}},
			`profile a moved to profiles/deep/a.yaml
			mended profiles/a.yaml
			status c3 sluice/a success: moved from profiles/a.yaml
			facts profile.moved:a`,
		},
		{
			"an empty file that a moved profile leaves is no problem",
			[][]files{{{"profiles/a.yaml": "\n", "profiles/deep/a.yaml": doc("a", "x: 1")}}},
			`profile a moved to profiles/deep/a.yaml
			status c2 sluice/a success: moved from profiles/a.yaml
			facts profile.moved:a`,
		},
		{
			"nor is one where no profile was",
			[][]files{{{"profiles/new.yaml": lfsPointer, "profiles/newer.yaml": "\n"}}},
			`status c2 sluice success: no profile changed`,
		},
		{
			"a name that no file may have is refused, and stays so until it is gone",
			[][]files{{{"profiles/b\x07d.yaml": doc("bad", "x: 1")}}, {{"README.md": "x"}}, {{"profiles/b\x07d.yaml": gone}}},
			`mended profiles/b?d.yaml
			status c4 sluice success: no profile changed`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(start)
			for _, push := range c.pushes {
				w.report()
				for _, fs := range push {
					w.commit("change", fs)
				}
				w.sync()
			}
			w.expect(c.want)
		})
	}
}

func TestAFileOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	sha := w.commit("fat", files{"profiles/a.yaml": doc("a", "x: 2") + strings.Repeat("# filler\n", 130_000)})
	w.sync()
	const want = "profiles/a.yaml: file is not read: too large"
	if s := w.store.data.statuses[[2]string{sha, "sluice/a"}]; s.State != rollout.StatusFailure || !strings.HasPrefix(s.Description, want) {
		t.Errorf("status %+v, want a failure that begins with %q", s, want)
	}
	if vs := w.store.data.versions["a"]; len(vs) != 1 {
		t.Errorf("%d versions, want the last good one alone", len(vs))
	}
}

func TestAProblemKeepsSinceWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	began := w.store.now
	w.commit("break", files{"profiles/a.yaml": broken})
	w.sync()
	w.store.now = began.AddDate(0, 0, 1)
	sha := w.commit("break otherwise", files{"profiles/a.yaml": strings.Replace(broken, "stratgy", "helth", 1)})
	w.sync()
	if p := w.store.data.problems["profiles/a.yaml"]; p.Since != began || p.Commit != sha || p.Profile != "a" || p.Source != "configs" {
		t.Errorf("problem %+v, want one since %v, last seen to change by %s", p, began, sha)
	}
}

func TestAStatusKeepsThePlaceAndFitsTheForge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	segment := strings.Repeat("s", 60)
	path := "profiles/" + segment + "/" + segment + "/" + segment + "/production.yaml"
	sha := w.commit("deep", files{path: strings.Replace(broken, "stratgy", strings.Repeat("u", 200), 1)})
	w.sync()
	text := w.store.data.statuses[[2]string{sha, "sluice/a"}].Description
	if n := utf8.RuneCountInString(text); n > 140 || !strings.Contains(text, "/production.yaml:6:1: unknown field") || !strings.HasPrefix(text, "…") {
		t.Errorf("%d runes: %s", n, text)
	}
	if p := w.store.data.problems[path]; !strings.HasPrefix(p.Message, path+":6:1: ") {
		t.Errorf("the problem is kept as %q, want it whole", p.Message)
	}
}

func TestTwoFilesOfOneName(t *testing.T) {
	t.Parallel()
	const (
		aText = "profiles/a.yaml: profile a is also defined in profiles/copy.yaml"
		cText = "profiles/copy.yaml: profile a is also defined in profiles/a.yaml"
	)
	for _, c := range []struct {
		rule   string
		pushes [][]files
		want   string
	}{
		{
			"which is meant is never guessed: both are refused",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2")}}},
			`problem a: ` + aText + `
			problem a: ` + cText + `
			status c2 sluice/a failure: ` + cText + `
			facts profile.invalid:a profile.invalid:a`,
		},
		{
			"also when both change",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2"), "profiles/a.yaml": doc("a", "x: 3")}}},
			`problem a: ` + aText + `
			problem a: ` + cText + `
			status c2 sluice/a failure: ` + cText + `
			facts profile.invalid:a profile.invalid:a`,
		},
		{
			"and stay so while both are there",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2")}}, {{"profiles/a.yaml": doc("a", "x: 3")}}},
			`status c3 sluice/a failure: ` + aText + `
			facts profile.invalid:a`,
		},
		{
			"the copy goes",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2")}}, {{"profiles/copy.yaml": gone}}},
			`mended profiles/a.yaml
			mended profiles/copy.yaml
			status c3 sluice/a success: no change in effective data`,
		},
		{
			"the original goes: the copy is the profile now",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2")}}, {{"profiles/a.yaml": gone}}},
			`profile a moved to profiles/copy.yaml
			version a 1.0.1 by c3
			deployment a 1.0.1 by c3 over 1.0.0
			mended profiles/a.yaml
			mended profiles/copy.yaml
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a profile.moved:a version.created:a@1.0.1`,
		},
		{
			"the original goes while the copy has a copy: the profile stays, refused",
			[][]files{{{"profiles/copy.yaml": doc("a", "x: 2"), "profiles/d.yaml": doc("a", "x: 2"), "profiles/a.yaml": gone}}},
			`profile a moved to profiles/copy.yaml
			problem a: profiles/copy.yaml: profile a is also defined in profiles/d.yaml
			problem a: profiles/d.yaml: profile a is also defined in profiles/copy.yaml
			status c2 sluice/a failure: profiles/d.yaml: profile a is also defined in profiles/copy.yaml
			facts profile.invalid:a profile.invalid:a`,
		},
		{
			"a broken copy does not stop the sound one",
			[][]files{{{"profiles/copy.yaml": broken, "profiles/a.yaml": doc("a", "x: 3")}}},
			`version a 1.0.1 by c2
			deployment a 1.0.1 by c2 over 1.0.0
			problem a: profiles/copy.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
			status c2 sluice/a pending: (deployment)
			status c2 sluice/profiles/copy.yaml failure: profiles/copy.yaml:6:1: unknown field "stratgy", did you mean strategy? ($.stratgy)
			facts deployment.created:a version.created:a@1.0.1 profile.invalid:a`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(files{"profiles/a.yaml": doc("a", "x: 1"), "profiles/b.yaml": doc("b", "x: 1")})
			for _, push := range c.pushes {
				w.report()
				for _, fs := range push {
					w.commit("change", fs)
				}
				w.sync()
			}
			w.expect(c.want)
		})
	}
}

func TestAProfileThatItsOwnerGaveUpIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *reconciler.Options) { o.Source.Sources = []string{"configs", "other"} })
	start := files{"profiles/renamed.yaml": doc("renamed", "x: 1"), "profiles/split.yaml": doc("split", "x: 1"), "profiles/theirs.yaml": doc("theirs", "x: 1")}
	w.deployed(start)
	for name, owner := range map[string]profile.Owner{"renamed": {Source: "old-id"}, "split": {Source: "other", Retired: true}, "theirs": {Source: "other"}} {
		r := w.store.data.profiles[name]
		r.Source, r.Retired = owner.Source, owner.Retired
		w.store.data.profiles[name] = r
	}
	w.store.data.profiles["manual"] = profile.Record{Name: "manual", Origin: profile.OriginAPI, Retired: true}
	w.store.data.heads = map[string]string{}
	w.report()
	w.commit("moved in", files{
		"profiles/renamed.yaml": doc("renamed", "x: 1"), "profiles/split.yaml": gone, "profiles/here/split.yaml": doc("split", "x: 2"),
		"profiles/manual.yaml": doc("manual", "x: 1"),
	})
	w.sync()
	w.expect(`
		profile manual moved to profiles/manual.yaml
		profile manual retired false
		version manual 1.0.0 by c2
		profile split moved to profiles/here/split.yaml
		profile split retired false
		version split 1.0.1 by c2
		deployment manual 1.0.0 by c2
		deployment split 1.0.1 by c2 over 1.0.0
		problem theirs: profiles/theirs.yaml: profile theirs is already managed by source other
		status c2 sluice/manual pending: (deployment)
		status c2 sluice/split pending: (deployment)
		status c2 sluice/theirs failure: profiles/theirs.yaml: profile theirs is already managed by source other
		facts profile.taken-over:manual profile.taken-over:renamed profile.taken-over:split deployment.created:manual deployment.created:split profile.moved:split profile.returned:split version.created:split@1.0.1 profile.returned:manual profile.defined:manual version.created:manual@1.0.0 profile.invalid:theirs`)
	for _, name := range []string{"renamed", "split", "manual"} {
		if r := w.store.data.profiles[name]; r.Source != "configs" || r.Origin != profile.OriginGit {
			t.Errorf("%s is of %s %q, want of the source", name, r.Origin, r.Source)
		}
	}
}

func TestANameThatAnotherManages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.data.profiles["theirs"] = profile.Record{Name: "theirs", Origin: profile.OriginGit, Source: "other"}
	w.store.data.profiles["manual"] = profile.Record{Name: "manual", Origin: profile.OriginAPI}
	w.report()
	w.commit("take", files{
		"profiles/theirs.yaml": doc("theirs", "x: 1"), "profiles/manual.yaml": doc("manual", "x: 1"), "profiles/mine.yaml": doc("mine", "x: 1"),
	})
	w.sync()
	w.expect(`
		profile mine at profiles/mine.yaml
		version mine 1.0.0 by c1
		deployment mine 1.0.0 by c1
		problem manual: profiles/manual.yaml: profile manual is already managed by the API
		problem theirs: profiles/theirs.yaml: profile theirs is already managed by source other
		status c1 sluice/manual failure: profiles/manual.yaml: profile manual is already managed by the API
		status c1 sluice/mine pending: (deployment)
		status c1 sluice/theirs failure: profiles/theirs.yaml: profile theirs is already managed by source other
		facts deployment.created:mine profile.invalid:manual profile.created:mine version.created:mine@1.0.0 profile.invalid:theirs`)
}
