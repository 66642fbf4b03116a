package gitsource_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

func TestLinksAndSubmodulesAreReportedAndNeverFollowed(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write(map[string]string{"real.yaml": "secret", "dir/x.yaml": "x", ".gitmodules": "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::sh -c touch\n"})
	blob := r.gitInput("/etc/passwd", "hash-object", "-w", "--stdin")
	loop := r.gitInput("loop.yaml", "hash-object", "-w", "--stdin")
	r.git("add", "-A")
	for _, line := range []string{
		"120000," + blob + ",passwd.yaml", "120000," + loop + ",loop.yaml", "120000," + blob + ",linkdir",
		"120000," + blob + ",.hidden-link", "160000," + someHead + ",sub",
	} {
		r.git("update-index", "--add", "--cacheinfo", line)
	}
	r.git("commit", "-q", "-m", "links")
	m := open(t, r.options())
	head := fetch(t, m)
	want := []string{
		"Added dir/x.yaml", "Invalid linkdir: symbolic links are not followed", "Invalid loop.yaml: symbolic links are not followed",
		"Invalid passwd.yaml: symbolic links are not followed", "Added real.yaml", "Invalid sub: submodules are not fetched",
	}
	if got := changes(t, m, "", head); !slices.Equal(got, want) {
		t.Errorf("Changes = %q, want %q", got, want)
	}
	for path, want := range map[string]error{
		"passwd.yaml": gitsource.ErrNotRegular, "loop.yaml": gitsource.ErrNotRegular, "sub": gitsource.ErrNotRegular, "dir": gitsource.ErrNotRegular,
		"": gitsource.ErrNotRegular, "linkdir/passwd": fs.ErrNotExist, "sub/x": fs.ErrNotExist, "real.yaml/x": fs.ErrNotExist, "none": fs.ErrNotExist,
		"../real.yaml": fs.ErrNotExist, "/real.yaml": fs.ErrNotExist, "dir/../real.yaml": fs.ErrNotExist, "dir//x.yaml": fs.ErrNotExist,
		strings.Repeat("a/", 100) + "b": fs.ErrNotExist,
	} {
		if b, err := m.Read(t.Context(), head, path); !errors.Is(err, want) || b != nil {
			t.Errorf("Read(%q) = %q, %v, want %v", path, b, err, want)
		}
	}
}

// The tree is written by hand: git itself would not.
func TestNamesThatMustNotBeUsed(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"..":                      "the name is a relative path",
		".":                       "the name is a relative path",
		".git":                    "the name is reserved by Git",
		".GIT":                    "the name is reserved by Git",
		".git. ":                  "the name is reserved by Git",
		"git~1":                   "the name is reserved by Git",
		"../x.yaml":               "the name holds a slash or backslash",
		"/abs.yaml":               "the name holds a slash or backslash",
		`a\b.yaml`:                "the name holds a slash or backslash",
		"new\nline.yaml":          "the name holds control or invisible characters",
		"esc\x1b[31m.yaml":        "the name holds control or invisible characters",
		"\u202egnp.yaml":          "the name holds control or invisible characters",
		"zero\u200bwidth.md":      "the name holds control or invisible characters",
		"\xff\xfe.yaml":           "the name is not valid UTF-8",
		strings.Repeat("x", 5000): "the name is longer than 255 bytes",
		"p\u0430yment.yaml":       "the name of a configuration file may hold letters, digits, dots, dashes and underscores only",
		"with space.yml":          "the name of a configuration file may hold letters, digits, dots, dashes and underscores only",
		"-dash.json":              "the name of a configuration file may hold letters, digits, dots, dashes and underscores only",
		"Case.yaml":               "the name differs from case.yaml only in case",
	}
	fine := []string{"case.yaml", "Übersicht mit Leerzeichen.md", "UPPER.YAML", "_x.json", "CON.yaml"}
	hidden := []string{".gitignore", ".github.yaml"}
	var b packBuilder
	blob, _ := b.object(typeBlob, []byte("x"))
	var lines []treeLine
	for _, name := range slices.Concat(fine, hidden) {
		lines = append(lines, treeLine{fileMode, name, blob})
	}
	for name := range bad {
		lines = append(lines, treeLine{fileMode, name, blob})
	}
	head := b.tree(lines...)
	m := open(t, serverOptions(t, servePack(t, head, b.bytes())))
	fetch(t, m)
	list, err := m.List(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range list {
		if (e.Kind == gitsource.Regular) != (e.Reason == "") {
			t.Errorf("%+v: kind and reason disagree", e)
		}
		if strings.ContainsAny(e.Path, "\n\x1b\u202e\u200b") {
			t.Errorf("%q is not safe to print", e.Path)
		}
		got[e.Path] = e.Reason
	}
	if want := len(bad) + len(fine); len(list) != want {
		t.Errorf("%d entries, want %d", len(list), want)
	}
	reasons := map[string]int{}
	for _, r := range got {
		reasons[r]++
	}
	for name, reason := range bad {
		if reasons[reason] == 0 {
			t.Errorf("%q: nothing was refused because %s", name, reason)
		}
		if b, err := m.Read(t.Context(), head, name); err == nil {
			t.Errorf("Read(%q) = %q", name, b)
		}
	}
	for _, name := range fine {
		if r, ok := got[name]; !ok || r != "" {
			t.Errorf("%q was refused: %s", name, r)
		}
	}
}

func TestTreesThatAreMadeToCost(t *testing.T) {
	t.Parallel()
	deep := func() (string, []byte) {
		var b packBuilder
		id, _ := b.object(typeBlob, []byte("x"))
		line := treeLine{fileMode, "f", id}
		for range 100 {
			id, _ := b.object(typeTree, treeContent(line))
			line = treeLine{folderMode, "d", id}
		}
		return b.tree(line), b.bytes()
	}
	wide := func() (string, []byte) { // ten folders of ten folders of ... ten files: ten thousand million of them
		var b packBuilder
		id, _ := b.object(typeBlob, []byte("x"))
		mode := fileMode
		for range 10 {
			var lines []treeLine
			for i := range 10 {
				lines = append(lines, treeLine{mode, fmt.Sprint("n", i), id})
			}
			id, _ = b.object(typeTree, treeContent(lines...))
			mode = folderMode
		}
		return b.tree(treeLine{folderMode, "root", id}), b.bytes()
	}
	for name, make := range map[string]func() (string, []byte){"deep": deep, "wide": wide} {
		head, pack := make()
		m := open(t, serverOptions(t, servePack(t, head, pack)))
		fetch(t, m)
		if _, err := m.List(t.Context(), head); !errors.Is(err, gitsource.ErrTooLarge) {
			t.Errorf("%s: List = %v, want ErrTooLarge", name, err)
		}
		if _, err := m.Changes(t.Context(), "", head); !errors.Is(err, gitsource.ErrTooLarge) {
			t.Errorf("%s: Changes = %v, want ErrTooLarge", name, err)
		}
	}
}

func TestObjectsThatAreNotWhatTheySay(t *testing.T) {
	t.Parallel()
	var b packBuilder
	blob, _ := b.object(typeBlob, []byte("x"))
	garbage, _ := b.object(typeTree, []byte("100644 no-end"))
	tree, _ := b.object(typeTree, treeContent(
		treeLine{folderMode, "blob-as-folder", blob}, treeLine{folderMode, "garbage", garbage}, treeLine{"7", "mode", blob}, treeLine{"99", "octal", blob}))
	head := b.head(tree)
	m := open(t, serverOptions(t, servePack(t, head, b.bytes())))
	fetch(t, m)
	for _, path := range []string{"blob-as-folder/x", "garbage/x"} {
		if _, err := m.Read(t.Context(), head, path); !errors.Is(err, gitsource.ErrMalformed) {
			t.Errorf("Read(%s) = %v, want ErrMalformed", path, err)
		}
	}
	for _, path := range []string{"mode", "octal"} {
		if _, err := m.Read(t.Context(), head, path); !errors.Is(err, gitsource.ErrNotRegular) {
			t.Errorf("Read(%s) = %v, want ErrNotRegular", path, err)
		}
	}
}

func TestChangesStayWithinTheSourcesFolders(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first := r.commit("first", map[string]string{
		"profiles/a.yaml": "1", "profiles/sub/b.yaml": "1", "profiles/swap/x.yaml": "1", "schemas/s.json": "{}",
		"profiles-old/a.yaml": "1", "README.md": "x", "profiles/.github/x.yaml": "1", "profiles/gone": "file",
	})
	second := r.commit("second", map[string]string{
		"profiles/a.yaml": "2", "profiles/sub/b.yaml": "", "profiles/swap/x.yaml": "", "schemas/s.json": "{ }",
		"profiles-old/a.yaml": "2", "README.md": "y", "profiles/.github/x.yaml": "2", "profiles/gone": "",
	})
	third := r.commit("third", map[string]string{"profiles/swap": "a file now", "profiles/gone/now.yaml": "a folder now"})
	o := r.options()
	o.Path, o.Extra = "profiles/", []string{"./schemas", "profiles/sub", "not-there"}
	m := open(t, o)
	fetch(t, m)
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"a change": {first, second, []string{
			"Modified profiles/a.yaml", "Deleted profiles/gone", "Deleted profiles/sub/b.yaml", "Deleted profiles/swap/x.yaml", "Modified schemas/s.json"}},
		"folder to file and file to folder": {first, third, []string{
			"Modified profiles/a.yaml", "Deleted profiles/gone", "Added profiles/gone/now.yaml", "Deleted profiles/sub/b.yaml",
			"Added profiles/swap", "Deleted profiles/swap/x.yaml", "Modified schemas/s.json"}},
		"backwards": {third, second, []string{"Deleted profiles/gone/now.yaml", "Deleted profiles/swap"}},
		"nothing":   {third, third, nil},
		"everything": {"", third, []string{
			"Added profiles/a.yaml", "Added profiles/gone/now.yaml", "Added profiles/swap", "Added schemas/s.json"}},
	} {
		if got := changes(t, m, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	list, err := m.List(t.Context(), third)
	if err != nil || len(list) != 4 || list[0].Path != "profiles/a.yaml" || list[0].Hash != r.git("rev-parse", third+":profiles/a.yaml") {
		t.Errorf("List = %+v, %v", list, err)
	}
	// What profiles refer to may lie outside the source's folders.
	if got := read(t, m, third, "README.md"); got != "y" {
		t.Errorf("README.md = %q", got)
	}
	got, err := m.Changes(t.Context(), first, second)
	if err != nil || got[0].OldHash != r.git("rev-parse", first+":profiles/a.yaml") || got[0].NewHash != r.git("rev-parse", second+":profiles/a.yaml") {
		t.Errorf("hashes = %+v, %v", got[0], err)
	}
}

// A file that turns into a link and goes away must still be seen to go away.
func TestInvalidEntriesComeAndGo(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	file := r.commit("file", map[string]string{"a.yaml": "1", "b.yaml": "1"})
	blob := r.gitInput("b.yaml", "hash-object", "-w", "--stdin")
	r.git("update-index", "--cacheinfo", "120000,"+blob+",a.yaml")
	r.git("commit", "-q", "-m", "link")
	link := r.git("rev-parse", "HEAD")
	r.git("rm", "-q", "--cached", "a.yaml")
	r.git("commit", "-q", "-m", "gone")
	gone := r.git("rev-parse", "HEAD")
	m := open(t, r.options())
	fetch(t, m)
	for _, c := range []struct{ from, to, want string }{
		{file, link, "Invalid a.yaml: symbolic links are not followed"}, {link, gone, "Deleted a.yaml"}, {link, file, "Added a.yaml"}, {file, gone, "Deleted a.yaml"},
	} {
		if got := changes(t, m, c.from, c.to); !slices.Equal(got, []string{c.want}) {
			t.Errorf("Changes = %q, want %q", got, c.want)
		}
	}
	o := r.options()
	o.Path = "a.yaml"
	m = open(t, o)
	fetch(t, m)
	if got := changes(t, m, "", link); !slices.Equal(got, []string{"Invalid a.yaml: symbolic links are not followed"}) {
		t.Errorf("a source's folder that is a link: %q", got)
	}
}
