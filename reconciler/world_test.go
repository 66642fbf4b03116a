package reconciler_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// world is a real repository, its real mirror, a store in memory and the
// reconciler between them.
type world struct {
	t     testing.TB
	dir   string // of the repository
	store *fakeStore
	git   *gitsource.Mirror
	r     *reconciler.Reconciler
	woken int

	names map[string]string // SHA -> c1, c2, ...
	shas  map[string]string
	last  tables // as of the last report
}

func newWorld(t testing.TB, change ...func(*reconciler.Options)) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "origin"), store: newFakeStore(), names: map[string]string{}, shas: map[string]string{}}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.run("init", "-q", "-b", "main")
	w.git = w.mirror(gitsource.Limits{})
	w.last = w.store.data.clone()
	w.r = w.reconciler(change...)
	return w
}

func (w *world) mirror(limits gitsource.Limits) *gitsource.Mirror {
	w.t.Helper()
	return w.mirrorOf("profiles", limits)
}

func (w *world) mirrorOf(folder string, limits gitsource.Limits) *gitsource.Mirror {
	w.t.Helper()
	m, err := gitsource.Open(w.t.Context(), gitsource.Options{
		ID: "configs", URL: "file://" + w.dir, Branch: "main", Path: folder, Extra: []string{"schemas"},
		Dir: w.t.TempDir(), AllowFile: true, Limits: limits,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return m
}

func (w *world) reconciler(change ...func(*reconciler.Options)) *reconciler.Reconciler {
	w.t.Helper()
	opts := reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles/"},
		Git:    w.git, Store: w.store, Locker: coord.NewMemory(),
		WakeEngine: func() { w.woken++ },
	}
	for _, f := range change {
		f(&opts)
	}
	r, err := reconciler.New(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) run(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = w.dir
	cmd.Env = []string{ // nothing of the machine's or the user's configuration
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Grace", "GIT_COMMITTER_EMAIL=grace@example.com", "LC_ALL=C",
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// gone is the content of a file to delete; "-> target" is a symbolic link.
const gone = ""

type files map[string]string

// commit writes the files and commits them; it returns the commit's SHA.
func (w *world) commit(message string, fs files) string {
	w.t.Helper()
	for name, content := range fs {
		file := filepath.Join(w.dir, name)
		if err := os.RemoveAll(file); err != nil {
			w.t.Fatal(err)
		}
		if content == gone {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o644)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.run("add", "-A")
	w.run("commit", "-q", "--allow-empty", "-m", message)
	return w.named(w.run("rev-parse", "HEAD"))
}

// named gives the commit its short name in reports.
func (w *world) named(sha string) string {
	if _, known := w.names[sha]; !known {
		name := fmt.Sprintf("c%d", len(w.names)+1)
		w.names[sha], w.shas[name] = name, sha
	}
	return sha
}

func (w *world) sync() reconciler.Result {
	w.t.Helper()
	res, err := w.r.Sync(w.t.Context())
	if err != nil {
		w.t.Fatalf("Sync: %v", err)
	}
	return res
}

// expect compares what the store has learnt since the last report with want.
func (w *world) expect(want string) {
	w.t.Helper()
	got := w.report()
	if want = lines(want); got != want {
		w.t.Errorf("the sync did\n%s\nwant\n%s", indent(got), indent(want))
	}
}

func lines(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func indent(s string) string { return "\t" + strings.ReplaceAll(s, "\n", "\n\t") }

// report tells what is new in the store: a line a profile, version, deployment,
// ended deployment, ended hold, problem, status and all facts, in this order.
func (w *world) report() string {
	w.store.mu.Lock()
	now := w.store.data.clone()
	w.store.mu.Unlock()
	old := w.last
	w.last = now
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	for _, name := range sortedKeys(now.profiles) {
		is, was := now.profiles[name], old.profiles[name]
		switch {
		case was.Name == "":
			add("profile %s at %s", name, is.Path)
		case was.Path != is.Path:
			add("profile %s moved to %s", name, is.Path)
		}
		if is.Retired != was.Retired {
			add("profile %s retired %v", name, is.Retired)
		}
		for _, v := range now.versions[name][len(old.versions[name]):] {
			line := fmt.Sprintf("version %s %s by %s", name, v.Number, w.names[v.Commit])
			if v.Superseded {
				line += " superseded"
			}
			add("%s", line)
		}
	}
	for i, d := range now.deployments {
		if i < len(old.deployments) {
			if d.State != old.deployments[i].State {
				add("%s", strings.TrimSpace(fmt.Sprintf("deployment %s %s is %s: %s", d.Profile, d.Version, d.State, d.Explanation)))
			}
			continue
		}
		line := fmt.Sprintf("deployment %s %s by %s", d.Profile, d.Version, w.names[d.Commit])
		for _, part := range []struct {
			on   bool
			text string
		}{
			{d.Kind != rollout.Forward, " " + string(d.Kind)},
			{d.Previous != "", " over " + d.Previous},
			{d.Proven, " proven"},
			{d.Guard != "", ", guard: " + d.Guard},
			{d.State != rollout.Pending, ", " + string(d.State)},
		} {
			if part.on {
				line += part.text
			}
		}
		add("%s", line)
	}
	for name := range old.holds {
		if _, still := now.holds[name]; !still {
			add("hold %s ended", name)
		}
	}
	for _, path := range sortedKeys(now.problems) {
		if p := now.problems[path]; p != old.problems[path] {
			add("problem %s: %s", p.Profile, p.Message)
		}
	}
	for _, path := range sortedKeys(old.problems) {
		if _, still := now.problems[path]; !still {
			add("mended %s", path)
		}
	}
	var statuses []string
	for key, s := range now.statuses {
		if old.statuses[key] == s {
			continue
		}
		text := s.Description
		if s.DeploymentID != "" {
			text = "(deployment)"
		}
		statuses = append(statuses, fmt.Sprintf("status %s %s %s: %s", w.names[s.Commit], s.Context, s.State, text))
	}
	slices.Sort(statuses)
	out = append(out, statuses...)
	facts := ""
	for _, f := range now.facts[len(old.facts):] {
		if f.Type != reconciler.FactSourceSynced { // every change has it
			facts += " " + f.Type + ":" + w.entity(f)
		}
	}
	if facts != "" {
		add("facts%s", facts)
	}
	return strings.Join(out, "\n")
}

func (w *world) entity(f rollout.Fact) string {
	if f.EntityType == "deployment" {
		return fmt.Sprint(f.Details["profile"])
	}
	return f.EntityID
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// doc is a profile file. Data is in flow style; extra are further top-level lines.
func doc(name, data string, extra ...string) string {
	return "apiVersion: sluice/v1\nkind: ConfigProfile\nname: " + name + "\nservice: pay\n" +
		"environment: Staging\n" + strings.Join(append(extra, ""), "\n") + "data: {" + data + "}\n"
}

// base is a file to extend.
func base(data string) string {
	return "apiVersion: sluice/v1\nkind: ConfigBase\ndata: {" + data + "}\n"
}

// deployed syncs the files as the first commit and completes their deployments.
func (w *world) deployed(fs files) {
	w.t.Helper()
	w.commit("start", fs)
	w.sync()
	for name := range w.store.data.profiles {
		w.store.finish(w.t, name, rollout.Completed)
	}
	w.report()
}

func hashOf(data string) string { // of a flow map of JSON
	d, err := profile.DecodeData([]byte("{" + data + "}"))
	if err != nil {
		panic(err)
	}
	return profile.Hash(d)
}
