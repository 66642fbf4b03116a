package e2e_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// named is a sound profile of a name.
func named(name string) string {
	service, _, _ := strings.Cut(name, ".")
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: %s
environment: Staging
strategy: {type: Direct}
health: {enabled: false}
data: {greeting: hello}
`, name, service)
}

// hostileFiles are profiles that must be refused, each with a word of the reason.
// Every one has the head of a sound profile, so that only its own fault counts.
func hostileFiles() map[string]struct{ content, word string } {
	with := func(data string) string {
		return strings.Replace(named("evil.staging"), "data: {greeting: hello}", data, 1)
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	keys := &strings.Builder{}
	for i := range 60_000 {
		fmt.Fprintf(keys, "  k%d: 1\n", i)
	}
	return map[string]struct{ content, word string }{
		"alias-bomb":      {bomb + named("evil.staging"), "alias"},
		"alias-cycle":     {with("data: &a {x: [*a]}"), "alias"},
		"many-keys":       {with("data:\n" + keys.String()), "at most"},
		"deep":            {with("data: {x: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}"), ""},
		"duplicate-key":   {with("data: {x: 1, x: 2}"), "duplicate key"},
		"two-documents":   {named("evil.staging") + "---\n" + named("other.staging"), "document"},
		"tag":             {with("data: {x: !!python/object/apply:os.system [id]}"), "tag"},
		"not-a-number":    {with("data: {x: .nan}"), ""},
		"byte-order-mark": {"\ufeff" + named("evil.staging"), "byte order mark"},
		"utf-16":          {utf16(named("evil.staging")), "UTF-16"},
		"crash":           {named("evil.staging") + "0: [:!00 \xef", "UTF-8"},
		"merge-key":       {with("data: {<<: {[a]: 1}}"), ""},
		"too-large":       {with("data: {x: " + strings.Repeat("y", 1<<20) + "}"), ""},
		"unknown-field":   {named("evil.staging") + "colour: red\n", "colour"},
		"bad-duration":    {strings.Replace(named("evil.staging"), "{type: Direct}", "{type: Canary, phaseInterval: -1s}", 1), "phaseInterval"},
		"escaping-base":   {strings.Replace(named("evil.staging"), "data:", "extends: [../../../etc/passwd]\ndata:", 1), ""},
	}
}

// One repository with everything hostile in it, and one sound profile: that
// one is rolled out, each of the others is refused where it stands, and
// nothing outside the data folder is written.
func TestHostileFilesStopNobodyElse(t *testing.T) {
	t.Parallel()
	files := hostileFiles()
	var commit string
	s := empty(t, testenv.Binary(t), func(s *stage) {
		for name, f := range files {
			s.repo.Write("hostile/"+name+".yaml", strings.ReplaceAll(f.content, "evil.staging", name+".staging"))
		}
		for i, target := range []string{"/etc/passwd", "../../outside.yaml", "link-2.yaml"} {
			link := filepath.Join(s.repo.Work, "hostile", fmt.Sprintf("link-%d.yaml", i))
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		}
		s.repo.Write(".gitmodules", "[submodule \"sub.yaml\"]\n\tpath = hostile/sub.yaml\n\turl = ext::sh -c 'touch "+s.data+"-owned'\n")
		s.repo.Write("cart/staging.yaml", named("cart.staging"))
		s.repo.Git("add", "--all")
		s.repo.Git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",hostile/sub.yaml")
		s.repo.Git("commit", "--quiet", "--message", "Everything at once")
		commit = s.repo.Head()
		s.repo.Push()
	})
	a := newSidecar(t, s, "cart")
	a.start()
	a.loads("hello")
	s.completes(commit)

	statuses := s.statuses(commit)
	for name, f := range files {
		c := statusOf(statuses, name)
		if c.State != "failure" || !strings.Contains(c.Description, f.word) {
			t.Errorf("%s: %s %q, want a failure about %q", name, c.State, c.Description, f.word)
		}
		if strings.ContainsFunc(c.Description, func(r rune) bool { return r < ' ' }) {
			t.Errorf("%s: a control character in %q", name, c.Description)
		}
	}
	for _, name := range []string{"link-0", "link-1", "link-2", "sub"} {
		if c := statusOf(statuses, name); c.State != "failure" {
			t.Errorf("%s: %s %q, want a failure", name, c.State, c.Description)
		}
	}
	page, err := s.api.Configs(t.Context(), client.ConfigFilter{})
	if err != nil || page.Total != 1 {
		t.Errorf("%d profiles were made (%v), want the sound one", page.Total, err)
	}
	if strings.Contains(s.logs(), "root:") {
		t.Error("a link was followed")
	}
	if _, err := os.Stat(s.data + "-owned"); !os.IsNotExist(err) {
		t.Error("a submodule's URL was run")
	}
	if strings.Contains(s.logs(), "panic") {
		t.Error("something panicked")
	}
	s.stop()
}

// Names that no honest commit has, in trees that no honest git would write.
func TestHostileNamesStopNobodyElse(t *testing.T) {
	t.Parallel()
	names := []string{
		"..", ".git", "a/../../b", "/abs.yaml", "CON.yaml", "new\nline.yaml", "rtl\u202egpj.yaml", "h\u043emoglyph.yaml", "bad\xffutf8.yaml",
		strings.Repeat("x", 5000) + ".yaml", "back\\slash.yaml", "escape\x1b[31m.yaml", "twin.yaml", "Twin.yaml",
	}
	var commit string
	s := empty(t, testenv.Binary(t), func(s *stage) {
		s.repo.Write("cart.yaml", named("cart.staging"))
		sound := s.repo.Commit("Sound")
		blob := s.repo.Git("rev-parse", sound+":cart.yaml")
		evil := s.blob(named("evil.staging"))
		entries := map[string]string{"cart.yaml": blob}
		for _, name := range names {
			entries[name] = evil
		}
		tree := s.tree(entries)
		commit = s.repo.Git("commit-tree", tree, "-p", sound, "-m", "Odd names\x1b[31m and colours")
		s.repo.Git("update-ref", "refs/heads/main", commit)
		s.repo.Push()
	})
	a := newSidecar(t, s, "cart")
	a.start()
	a.loads("hello")
	s.completes(commit)
	statuses := s.statuses(commit)
	for _, c := range statuses {
		if strings.ContainsFunc(c.Context+c.Description, func(r rune) bool { return r < ' ' || r == '\u202e' || r == '\ufffe' }) {
			t.Errorf("the status %q says %q: a name got through as it was", c.Context, c.Description)
		}
	}
	for line := range strings.Lines(s.logs()) {
		if !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "The first") && !strings.HasPrefix(line, "It is") {
			t.Errorf("a name broke a line of the log: %q", line)
		}
		if strings.Contains(line, "\x1b") || strings.Contains(line, "\u202e") {
			t.Errorf("a name is in the log as it was: %q", line)
		}
	}
	page, err := s.api.Configs(t.Context(), client.ConfigFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range page.Items {
		if config.Name != "cart.staging" && config.Name != "evil.staging" {
			t.Errorf("a profile %q was made", config.Name)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(s.data))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"data", "daemon.log"}, e.Name()) {
			t.Errorf("%s was written beside the data folder", e.Name())
		}
	}
	s.stop()
}

// blob writes a blob into the clone.
func (s *stage) blob(content string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "blob")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.repo.Git("hash-object", "-w", file)
}

// tree writes a tree of files byte by byte, whatever their names.
func (s *stage) tree(entries map[string]string) string {
	s.t.Helper()
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	var raw []byte
	for _, name := range names {
		raw = fmt.Appendf(raw, "100644 %s\x00", name)
		id, err := hex.DecodeString(entries[name])
		if err != nil {
			s.t.Fatal(err)
		}
		raw = append(raw, id...)
	}
	file := filepath.Join(s.t.TempDir(), "tree")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.repo.Git("hash-object", "-t", "tree", "-w", "--literally", file)
}

// statuses reads everything that is said of a commit.
func (s *stage) statuses(commit string) []wire.CommitStatus {
	s.t.Helper()
	statuses, err := s.api.Statuses(s.t.Context(), commit)
	if err != nil {
		s.t.Fatal(err)
	}
	return statuses
}

// statusOf finds what is said of a file: under the name of its profile, where
// that could be read, or its own.
func statusOf(statuses []wire.CommitStatus, name string) wire.CommitStatus {
	for _, c := range statuses {
		if c.Context == "sluice/"+name+".staging" || c.Context == "sluice/hostile/"+name+".yaml" {
			return c
		}
	}
	return wire.CommitStatus{State: "nothing said"}
}

// utf16 is what some editors make of a text.
func utf16(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, c := range []byte(text) {
		b.Write([]byte{c, 0})
	}
	return b.String()
}
