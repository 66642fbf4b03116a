package gitsource_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const someHead = "0123456789abcdef0123456789abcdef01234567"

// hostilePacks are packs that cost much more than they weigh.
var hostilePacks = map[string]func(w io.Writer){
	"a 600 MB blob of zeros in 600 KB": func(w io.Writer) {
		var b packBuilder
		b.raw(typeBlob, 600<<20, nil, io.LimitReader(zeros{}, 600<<20))
		fmt.Fprint(w, string(b.bytes()))
	},
	"a blob that inflates to more than it says": func(w io.Writer) {
		var b packBuilder
		b.raw(typeBlob, 10, nil, io.LimitReader(zeros{}, 600<<20))
		fmt.Fprint(w, string(b.bytes()))
	},
	"two million objects": func(w io.Writer) {
		fmt.Fprint(w, string(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), 2_000_000)))
		var b packBuilder
		b.object(typeBlob, []byte("tiny"))
		for range 2_000_000 {
			if _, err := w.Write(b.body.Bytes()); err != nil {
				return
			}
		}
	},
	"half a million objects, all there": func(w io.Writer) {
		var b packBuilder
		for i := range 500_000 / effort {
			b.body.Write(append([]byte{0x34}, storedZlib(binary.BigEndian.AppendUint32(nil, uint32(i)))...))
		}
		b.count = 500_000 / effort
		fmt.Fprint(w, string(b.bytes()))
	},
	"a pack of ten gigabytes": func(w io.Writer) {
		fmt.Fprint(w, string(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), 10_240)))
		noise := make([]byte, 1<<20)
		rand.Read(noise)
		var b packBuilder
		b.object(typeBlob, noise)
		for range 10_240 {
			if _, err := w.Write(b.body.Bytes()); err != nil {
				return
			}
		}
	},
	"a delta that says it makes 3 GB": func(w io.Writer) {
		var b packBuilder
		_, base := b.object(typeBlob, make([]byte, 60_000))
		b.ofsDelta(base, copyDelta(60_000, 3<<30))
		fmt.Fprint(w, string(b.bytes()))
	},
	"a thousand deltas that make 15 MB each": func(w io.Writer) {
		var b packBuilder
		_, base := b.object(typeBlob, make([]byte, 60_000))
		for range 1_000 {
			b.ofsDelta(base, copyDelta(60_000, 15<<20))
		}
		fmt.Fprint(w, string(b.bytes()))
	},
	"a chain of deltas that make 15 MB each": func(w io.Writer) {
		var b packBuilder
		_, base := b.object(typeBlob, make([]byte, 15<<20))
		for range 60 / effort {
			base = b.ofsDelta(base, copyDelta(15<<20, 15<<20))
		}
		fmt.Fprint(w, string(b.bytes()))
	},
	"endless refs": nil, // served by the test itself
}

// storedZlib is a zlib stream of a short content, without compression.
func storedZlib(p []byte) []byte {
	out := append([]byte{0x78, 0x01, 1, byte(len(p)), 0, ^byte(len(p)), 0xff}, p...)
	a, b := uint32(1), uint32(0)
	for _, c := range p {
		a = (a + uint32(c)) % 65521
		b = (b + a) % 65521
	}
	return binary.BigEndian.AppendUint32(out, b<<16|a)
}

// The fetch runs in a process of its own, so that its memory can be told from the memory of the packs' maker.
func TestHostilePacksCostLittle(t *testing.T) {
	if url := os.Getenv("SLUICE_TEST_FETCH"); url != "" {
		fetchInChild(t, url)
		return
	}
	for name, send := range hostilePacks {
		t.Run(name, func(t *testing.T) {
			s := serveHead(t, someHead, "ofs-delta", send)
			if send == nil {
				s = serveEndlessRefs(t)
			}
			start := time.Now()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostilePacksCostLittle$", "-test.v")
			cmd.Env = append(os.Environ(), "SLUICE_TEST_FETCH="+s.URL)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			took, refused, mib := time.Since(start), field(out, "error: "), 0
			if runtime.GOOS == "linux" {
				kb, err := strconv.Atoi(field(out, "memory: "))
				if err != nil {
					t.Fatalf("no memory figure: %v\n%s", err, out)
				}
				mib = kb >> 10
			}
			t.Logf("%v, %d MiB: %s", took.Round(time.Millisecond), mib, refused)
			if refused == "" || took > patience || mib > memoryMiB {
				t.Errorf("took %v and %d MiB, want an error within %v and %d MiB\n%s", took, mib, patience, memoryMiB, out)
			}
		})
	}
}

func field(out []byte, key string) string {
	for line := range strings.Lines(string(out)) {
		if _, v, ok := strings.Cut(line, key); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func fetchInChild(t *testing.T, url string) {
	dir := t.TempDir()
	m := open(t, gitsource.Options{
		ID: "hostile", URL: url + "/x.git", Branch: "main", Dir: dir, AllowInsecureHTTP: true, AllowLoopback: true,
		Limits: gitsource.Limits{MaxPackBytes: gitsource.DefaultLimits().MaxPackBytes / effort},
	})
	_, err := m.Fetch(t.Context())
	if !errors.Is(err, gitsource.ErrLimit) && !errors.Is(err, gitsource.ErrMalformed) {
		t.Errorf("Fetch = %v, want ErrLimit or ErrMalformed", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "objects", "pack", "tmp_*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	fmt.Println("error:", err)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Println("memory:", strings.TrimSuffix(strings.TrimSpace(v), " kB"))
		}
	}
}

func TestBrokenPacksAreRefused(t *testing.T) {
	t.Parallel()
	good := func() *packBuilder {
		var b packBuilder
		b.object(typeBlob, []byte("content"))
		return &b
	}
	blob := objectID("blob", []byte("content"))
	for name, make := range map[string]func() []byte{
		"cut short": func() []byte {
			b := good().bytes()
			return b[:len(b)-25]
		},
		"without trailer": func() []byte {
			b := good().bytes()
			return b[:len(b)-20]
		},
		"with a wrong checksum": func() []byte {
			b := good().bytes()
			b[len(b)-1]++
			return b
		},
		"with bytes after its end": func() []byte { return append(good().bytes(), "more"...) },
		"with twenty bytes that look like a second trailer": func() []byte {
			b := good().bytes()
			return append(b, b[len(b)-20:]...)
		},
		"not a pack":            func() []byte { return []byte("<html>hello, this is a login page</html>") },
		"empty":                 func() []byte { return nil },
		"of an unknown version": func() []byte { return []byte("PACK\x00\x00\x00\x09\x00\x00\x00\x01") },
		"with a delta without base": func() []byte {
			b := good()
			b.refDelta(bytes.Repeat([]byte{7}, 20), copyDelta(7, 7))
			return b.bytes()
		},
		"with a delta that leans on nothing": func() []byte {
			b := good()
			b.ofsDelta(13, copyDelta(7, 7))
			return b.bytes()
		},
		"with a delta of another base": func() []byte {
			b := good()
			b.ofsDelta(12, copyDelta(9, 7))
			return b.bytes()
		},
		"with a delta that copies past its base": func() []byte {
			b := good()
			b.refDelta(blob, append(append(leb(7), leb(200)...), 0xb0, 200, 0))
			return b.bytes()
		},
		"with a delta whose sizes do not parse": func() []byte {
			b := good()
			b.refDelta(blob, bytes.Repeat([]byte{0xff}, 30))
			return b.bytes()
		},
		"with an object of an unknown type": func() []byte {
			b := good()
			b.raw(5, 3, nil, strings.NewReader("abc"))
			return b.bytes()
		},
		"with an object shorter than it says": func() []byte {
			b := good()
			b.raw(typeBlob, 9, nil, strings.NewReader("abc"))
			return b.bytes()
		},
		"with a size that overflows": func() []byte {
			b := good()
			b.raw(typeBlob, 1<<62, nil, strings.NewReader("abc"))
			return b.bytes()
		},
		"without the branch's commit": func() []byte { return good().bytes() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := serverOptions(t, servePack(t, someHead, make()))
			m := open(t, o)
			_, err := m.Fetch(t.Context())
			if !errors.Is(err, gitsource.ErrMalformed) && !errors.Is(err, gitsource.ErrLimit) && !errors.Is(err, gitsource.ErrRemote) {
				t.Fatalf("Fetch = %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(o.Dir, "*", "objects", "pack", "tmp_*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// Deltas may name their base by distance or by hash, before or after it, over several steps.
func TestDeltasOfEveryKindResolve(t *testing.T) {
	t.Parallel()
	var b packBuilder
	base := bytes.Repeat([]byte("0123456789"), 100)
	one := append(append(append(leb(1000), leb(503)...), 0xb0, 0xf4, 0x01), "\x03one"...)
	oneContent := append(slices.Clone(base[:500]), "one"...)
	two := append(append(append(leb(503), leb(103)...), 0x90, 100), "\x03two"...)
	twoContent := append(slices.Clone(base[:100]), "two"...)
	// The last step comes first, and names a base that is a delta itself and comes later.
	b.refDelta(objectID("blob", oneContent), two)
	_, offset := b.object(typeBlob, base)
	b.ofsDelta(offset, one)
	head := b.tree(
		treeLine{fileMode, "base", objectID("blob", base)},
		treeLine{fileMode, "one", objectID("blob", oneContent)},
		treeLine{fileMode, "two", objectID("blob", twoContent)},
	)
	m := open(t, serverOptions(t, servePack(t, head, b.bytes())))
	fetch(t, m)
	for name, want := range map[string][]byte{"base": base, "one": oneContent, "two": twoContent} {
		if got := read(t, m, head, name); got != string(want) {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// Each limit by itself, in packs that are sound otherwise: what is over one is refused as that, and what is not is taken.
func TestPacksOverALimitAreRefused(t *testing.T) {
	t.Parallel()
	noise := func(n int, seed byte) []byte {
		var out []byte
		for i := 0; len(out) < n; i++ {
			out = append(out, objectID("noise", []byte{seed, byte(i)})...)
		}
		return out[:n]
	}
	for name, c := range map[string]struct {
		fill    func(b *packBuilder)
		refused bool
	}{
		"within all": {func(b *packBuilder) { b.object(typeBlob, noise(900, 0)) }, false},
		"one object": {func(b *packBuilder) { b.object(typeBlob, make([]byte, 1001)) }, true},
		"the result of a delta": {func(b *packBuilder) {
			_, base := b.object(typeBlob, make([]byte, 900))
			b.ofsDelta(base, copyDelta(900, 1001))
		}, true},
		"all objects together": {func(b *packBuilder) { fill(b, 4, make([]byte, 900)) }, true},
		"the results of deltas": {func(b *packBuilder) {
			_, base := b.object(typeBlob, make([]byte, 900))
			b.ofsDelta(base, copyDelta(900, 950))
			b.ofsDelta(base, copyDelta(900, 960))
			b.ofsDelta(base, copyDelta(900, 970))
		}, true},
		"the number of objects": {func(b *packBuilder) { fill(b, 10, []byte("x")) }, true},
		"the bytes of the pack": {func(b *packBuilder) { b.object(typeBlob, noise(800, 1)); b.object(typeBlob, noise(800, 2)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b packBuilder
			head := b.tree()
			c.fill(&b)
			o := serverOptions(t, servePack(t, head, b.bytes()))
			o.Limits = gitsource.Limits{MaxBlobBytes: 1000, MaxObjectBytes: 1000, MaxInflatedBytes: 3500, MaxObjects: 10, MaxPackBytes: 1500}
			_, err := open(t, o).Fetch(t.Context())
			if c.refused && !errors.Is(err, gitsource.ErrLimit) || !c.refused && err != nil {
				t.Errorf("Fetch = %v, refused for a limit: %v", err, c.refused)
			}
		})
	}
}

// fill adds blobs that begin alike and differ.
func fill(b *packBuilder, n int, content []byte) {
	for i := range n {
		b.object(typeBlob, append([]byte{byte(i)}, content...))
	}
}
