package gitsource_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluicehq/sluice/gitsource"
)

const (
	typeCommit, typeTree, typeBlob = 1, 2, 3
	typeOfsDelta, typeRefDelta     = 6, 7
	fileMode, linkMode, moduleMode = "100644", "120000", "160000"
	folderMode                     = "40000"
)

// packBuilder writes packs by hand, honest ones and others.
type packBuilder struct {
	body  bytes.Buffer
	count uint32
}

func objectID(kind string, content []byte) []byte {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return h.Sum(nil)
}

// raw appends an object with a head of its own choosing and returns its offset.
func (b *packBuilder) raw(typ int, declared int64, extra []byte, content io.Reader) int64 {
	offset := int64(b.body.Len()) + 12
	c := byte(typ<<4) | byte(declared&15)
	for declared >>= 4; declared > 0; declared >>= 7 {
		b.body.WriteByte(c | 0x80)
		c = byte(declared & 0x7f)
	}
	b.body.WriteByte(c)
	b.body.Write(extra)
	z, err := zlib.NewWriterLevel(&b.body, zlib.BestSpeed)
	if err != nil {
		panic(err)
	}
	if _, err := io.Copy(z, content); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	b.count++
	return offset
}

func (b *packBuilder) object(typ int, content []byte) (id []byte, offset int64) {
	kind := map[int]string{typeCommit: "commit", typeTree: "tree", typeBlob: "blob"}[typ]
	return objectID(kind, content), b.raw(typ, int64(len(content)), nil, bytes.NewReader(content))
}

// ofsDelta appends a delta whose base lies at an offset of this pack.
func (b *packBuilder) ofsDelta(base int64, delta []byte) int64 {
	distance := int64(b.body.Len()) + 12 - base
	extra := []byte{byte(distance & 0x7f)}
	for distance >>= 7; distance > 0; distance >>= 7 {
		distance--
		extra = append([]byte{byte(distance&0x7f) | 0x80}, extra...)
	}
	return b.raw(typeOfsDelta, int64(len(delta)), extra, bytes.NewReader(delta))
}

func (b *packBuilder) refDelta(base, delta []byte) int64 {
	return b.raw(typeRefDelta, int64(len(delta)), base, bytes.NewReader(delta))
}

type treeLine struct {
	mode, name string
	id         []byte
}

func treeContent(lines ...treeLine) []byte {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l.mode + " " + l.name + "\x00")
		b.Write(l.id)
	}
	return b.Bytes()
}

// head appends a commit of a tree and returns the commit's id in hex.
func (b *packBuilder) head(tree []byte) string {
	id, _ := b.object(typeCommit, fmt.Appendf(nil, "tree %x\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nm\n", tree))
	return hex.EncodeToString(id)
}

// tree appends a tree and a commit of it.
func (b *packBuilder) tree(lines ...treeLine) string {
	id, _ := b.object(typeTree, treeContent(lines...))
	return b.head(id)
}

func (b *packBuilder) bytes() []byte {
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), b.count)
	out = append(out, b.body.Bytes()...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

func leb(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

// copyDelta makes a result of the given size by copying the base's first bytes over and over.
func copyDelta(base, result int) []byte {
	out := append(leb(base), leb(result)...)
	for result > 0 {
		n := min(result, base, 0xffff)
		out = append(out, 0xb0, byte(n), byte(n>>8))
		result -= n
	}
	return out
}

func pkt(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

// serveHead serves a repository whose main is at head and which answers every request for a pack by what send writes.
func serveHead(t *testing.T, head, capabilities string, send func(io.Writer)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			fmt.Fprint(w, pkt("# service=git-upload-pack\n")+"0000"+pkt(head+" refs/heads/main\x00"+capabilities+"\n")+"0000")
			return
		}
		fmt.Fprint(w, pkt("NAK\n"))
		send(w)
	}))
	t.Cleanup(s.Close)
	return s
}

func servePack(t *testing.T, head string, pack []byte) *httptest.Server {
	t.Helper()
	return serveHead(t, head, "ofs-delta", func(w io.Writer) { fmt.Fprint(w, string(pack)) })
}

func serverOptions(t *testing.T, s *httptest.Server) gitsource.Options {
	t.Helper()
	return gitsource.Options{
		ID: "configs", URL: s.URL + "/x.git", Branch: "main", Dir: t.TempDir(),
		AllowInsecureHTTP: true, AllowLoopback: true,
	}
}

// serveEndlessRefs serves a list of refs that does not end.
func serveEndlessRefs(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, pkt("# service=git-upload-pack\n")+"0000"+pkt(someHead+" refs/heads/a\x00ofs-delta\n"))
		for i := 0; ; i++ {
			if _, err := io.WriteString(w, pkt(fmt.Sprintf("%s refs/heads/branch-%d\n", someHead, i))); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}
