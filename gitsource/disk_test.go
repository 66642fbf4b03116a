package gitsource_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

// packFiles returns the mirror's files in objects/pack that end in suffix.
func packFiles(t *testing.T, o gitsource.Options, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(o.Dir, o.ID+".git", "objects", "pack", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flip changes bytes in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 4; i < len(b)*3/4; i++ {
		b[i] ^= 0x55
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestMirrorSurvivesARestart(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.commit("first", map[string]string{"a.yaml": "one"})
	o := r.options()
	m := open(t, o)
	fetch(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(t.Context(), head, "a.yaml"); !errors.Is(err, gitsource.ErrClosed) {
		t.Errorf("Read after Close = %v, want ErrClosed", err)
	}
	if _, err := m.Fetch(t.Context()); !errors.Is(err, gitsource.ErrClosed) {
		t.Errorf("Fetch after Close = %v, want ErrClosed", err)
	}
	// What a killed process leaves half written goes away; what it had finished stays, without the network.
	left := filepath.Join(o.Dir, "configs.git", "objects", "pack", "tmp_pack_1234")
	if err := errors.Join(os.WriteFile(left, []byte("PACK"), 0o600), os.Rename(r.dir, r.dir+"-away")); err != nil {
		t.Fatal(err)
	}
	m = open(t, o)
	if got := read(t, m, head, "a.yaml"); got != "one" {
		t.Errorf("a.yaml = %q", got)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary file is still there: %v", err)
	}
}

// Whatever is damaged, and whenever it is noticed, the next fetch brings everything back.
func TestDamagedMirrorsAreFetchedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		suffix string
		damage func(t *testing.T, path string)
	}{
		"flipped pack":   {".pack", flip},
		"flipped index":  {".idx", flip},
		"empty pack":     {".pack", func(t *testing.T, p string) { truncate(t, p, 0) }},
		"cut pack":       {".pack", func(t *testing.T, p string) { truncate(t, p, 100) }},
		"empty index":    {".idx", func(t *testing.T, p string) { truncate(t, p, 0) }},
		"missing index":  {".idx", remove},
		"missing pack":   {".pack", remove},
		"index of noise": {".idx", func(t *testing.T, p string) { write(t, p, strings.Repeat("\xff", 2000)) }},
	} {
		for _, restart := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				t.Parallel()
				r := newRepo(t)
				files := map[string]string{}
				for i := range 50 {
					files[fmt.Sprintf("f%d.yaml", i)] = strings.Repeat(fmt.Sprint(i), 100)
				}
				head := r.commit("first", files)
				o := r.options()
				m := open(t, o)
				fetch(t, m)
				if restart {
					if err := m.Close(); err != nil {
						t.Fatal(err)
					}
				}
				c.damage(t, packFiles(t, o, c.suffix)[0])
				if restart {
					m = open(t, o)
				}
				for i := range 50 {
					_, err := m.Read(t.Context(), head, fmt.Sprintf("f%d.yaml", i))
					if err != nil && !errors.Is(err, gitsource.ErrCorrupt) && !errors.Is(err, gitsource.ErrNotFetched) {
						t.Fatalf("Read of a damaged mirror = %v", err)
					}
				}
				if got := fetch(t, m); got != head {
					t.Fatalf("Fetch = %s", got)
				}
				for name, content := range files {
					if got := read(t, m, head, name); got != content {
						t.Fatalf("%s = %q", name, got)
					}
				}
			})
		}
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A mirror is of one URL and branch; under another one the same folder starts empty.
func TestMirrorOfSomethingElseStartsOver(t *testing.T) {
	t.Parallel()
	r, other := newRepo(t), newRepo(t)
	head := r.commit("first", map[string]string{"a.yaml": "one"})
	r.git("branch", "release")
	other.commit("other", map[string]string{"a.yaml": "other"})
	for name, change := range map[string]func(*gitsource.Options, string){
		"url":    func(o *gitsource.Options, _ string) { o.URL = other.dir },
		"branch": func(o *gitsource.Options, _ string) { o.Branch = "release" },
		"limit":  func(o *gitsource.Options, _ string) { o.Limits.MaxBlobBytes = 5 },
		"origin": func(_ *gitsource.Options, dir string) { write(t, filepath.Join(dir, "sluice-origin.json"), "{") },
		"file":   func(_ *gitsource.Options, dir string) { write(t, dir, "not a folder") },
		"ref": func(_ *gitsource.Options, dir string) {
			write(t, filepath.Join(dir, "refs", "heads", "main"), someHead+"\n")
		},
	} {
		o := r.options()
		m := open(t, o)
		fetch(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		change(&o, filepath.Join(o.Dir, "configs.git"))
		if _, err := open(t, o).Read(t.Context(), head, "a.yaml"); !errors.Is(err, gitsource.ErrNotFetched) {
			t.Errorf("another %s: %v, want ErrNotFetched", name, err)
		}
	}
}

func TestPacksAreJoined(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	o := r.options()
	o.Limits.MaxPacks = 4
	m := open(t, o)
	var heads []string
	for i := range 30 {
		heads = append(heads, r.commit(fmt.Sprint(i), map[string]string{"a.yaml": fmt.Sprint("v", i), fmt.Sprintf("d/f%d.yaml", i): "x"}))
		fetch(t, m)
		if n := len(packFiles(t, o, ".pack")); n > 4 || n != m.Stats().Packs {
			t.Fatalf("%d packs after %d fetches", n, i+1)
		}
	}
	if err := m.Stats().RepackError; err != nil {
		t.Fatal(err)
	}
	// Git itself finds nothing wrong with what was joined, and so does a fresh start.
	mirror := &repo{t: t, dir: filepath.Join(o.Dir, "configs.git")}
	mirror.git("fsck", "--full", "--strict")
	for _, again := range []bool{false, true} {
		if again {
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			m = open(t, o)
		}
		for i, head := range heads {
			if got := read(t, m, head, "a.yaml"); got != fmt.Sprint("v", i) {
				t.Errorf("a.yaml at %d = %q", i, got)
			}
		}
		if got := len(subjects(t, m, heads[0], heads[29])); got != 29 {
			t.Errorf("%d commits", got)
		}
	}
}

func TestPacksWithDeltasAreJoined(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	o := r.httpOptions(r.serveHTTP("", ""))
	o.Limits.MaxPacks = 2
	m := open(t, o)
	for i := range 6 {
		// Several versions in one fetch, alike enough that git sends them as deltas.
		for j := range 5 {
			r.commit("x", map[string]string{"big.yaml": strings.Repeat("a long line that stays the same\n", 500) + fmt.Sprintf("%d %d %s\n", i, j, t.Name())})
		}
		fetch(t, m)
	}
	head := r.git("rev-parse", "HEAD")
	for i := range 30 {
		commit := r.git("rev-parse", fmt.Sprintf("HEAD~%d", i))
		if got, want := read(t, m, commit, "big.yaml"), r.git("show", commit+":big.yaml"); got != want+"\n" {
			t.Fatalf("big.yaml at HEAD~%d differs", i)
		}
	}
	if n := m.Stats().Packs; n > 2 || head == "" {
		t.Errorf("%d packs", n)
	}
}

// A mirror that grew by rewritten history is made anew.
func TestMirrorThatGrewTooLargeStartsOver(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	base := r.commit("base", map[string]string{"a": "a"})
	o := r.options()
	o.Limits.MaxPackBytes = 20 << 10
	m := open(t, o)
	for i := range 12 {
		r.git("reset", "-q", "--hard", base)
		r.commit("noise", map[string]string{"b.yaml": noise(i, 4000)})
		fetch(t, m)
	}
	if got := m.Stats().Bytes; got > 3*o.Limits.MaxPackBytes {
		t.Errorf("the mirror has %d bytes", got)
	}
}

// noise is text that does not compress well.
func noise(seed, n int) string {
	var b strings.Builder
	x := uint64(seed)*2654435761 + 88172645463325252
	for b.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%x", x)
	}
	return b.String()
}

func TestLargeFiles(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.commit("first", map[string]string{"small.yaml": "x", "limit.yaml": strings.Repeat("x", 1000), "large.yaml": noise(1, 1001)})
	filtering := r.httpOptions(r.serveHTTP("", ""))
	for name, o := range map[string]gitsource.Options{"file": r.options(), "http": filtering, "http with filter": filtering} {
		if name == "http with filter" {
			r.git("config", "uploadpack.allowFilter", "true")
			o.Dir = t.TempDir()
		}
		o.Limits.MaxBlobBytes = 1000
		m := open(t, o)
		fetch(t, m)
		for again := range 2 {
			if got := read(t, m, head, "limit.yaml"); len(got) != 1000 {
				t.Errorf("%s: %d bytes", name, len(got))
			}
			if _, err := m.Read(t.Context(), head, "large.yaml"); !errors.Is(err, gitsource.ErrTooLarge) {
				t.Errorf("%s: Read = %v, want ErrTooLarge", name, err)
			}
			if got := changes(t, m, "", head); !slices.Contains(got, "Added large.yaml") {
				t.Errorf("%s: Changes = %q", name, got)
			}
			if again == 0 {
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
				m = open(t, o)
			}
		}
		r.git("config", "uploadpack.allowFilter", "false")
	}
}

// A limit that a fetch goes over leaves the mirror as it was.
func TestRefusedFetchChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first := r.commit("first", map[string]string{"a.yaml": "one"})
	o := r.httpOptions(r.serveHTTP("", ""))
	o.Limits.MaxObjects = 20
	m := open(t, o)
	fetch(t, m)
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprint(i)
	}
	r.commit("many", files)
	for range 2 {
		if _, err := m.Fetch(t.Context()); !errors.Is(err, gitsource.ErrLimit) {
			t.Fatalf("Fetch = %v, want ErrLimit", err)
		}
	}
	if got := read(t, m, first, "a.yaml"); got != "one" || m.Stats().Packs != 1 {
		t.Errorf("a.yaml = %q, %d packs", got, m.Stats().Packs)
	}
	if left := packFiles(t, o, ""); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestReadsAndFetchesRunTogether(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.commit("first", map[string]string{"a.yaml": "one", "d/b.yaml": "b"})
	o := r.options()
	o.Limits.MaxPacks = 2
	m := open(t, o)
	fetch(t, m)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if b, err := m.Read(t.Context(), head, "d/b.yaml"); err != nil || string(b) != "b" {
					t.Errorf("Read = %q, %v", b, err)
					return
				}
				if _, err := m.List(t.Context(), head); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 10 {
		r.commit("next", map[string]string{"a.yaml": fmt.Sprint(i)})
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if _, err := m.Fetch(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	close(stop)
	wg.Wait()
}

// A disk that takes no more is an error of this source, and goes away with its cause.
func TestDiskErrorsAreReported(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	head := r.commit("first", map[string]string{"a.yaml": "one"})
	o := r.options()
	m := open(t, o)
	pack := filepath.Join(o.Dir, "configs.git", "objects", "pack")
	if err := os.Rename(pack, pack+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fetch(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Fetch = %v, want ErrNotExist", err)
	}
	if err := os.Rename(pack+"-away", pack); err != nil {
		t.Fatal(err)
	}
	if got := fetch(t, m); got != head {
		t.Errorf("Fetch = %s", got)
	}
	write(t, filepath.Join(o.Dir, "file"), "")
	o.Dir = filepath.Join(o.Dir, "file")
	if m, err := gitsource.Open(t.Context(), o); err == nil {
		t.Errorf("Open below a file: %v", m)
	}
}
