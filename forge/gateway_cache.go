package forge

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// answer is one that may be asked for again by its tag.
type answer struct {
	tag  string
	head http.Response // without its body
	body []byte
}

// size is about what keeping it costs.
func (a *answer) size() int64 { return int64(len(a.body)) + 1024 }

// response is the answer as if it had just been given: what the forge says anew
// stands, such as where the next page is.
func (a *answer) response(req *http.Request, anew http.Header) *http.Response {
	head := a.head
	head.Header = a.head.Header.Clone()
	maps.Copy(head.Header, anew)
	return whole(req, &head, a.body)
}

// answers are the latest that came with a tag, within a number of bytes.
type answers struct {
	mu    sync.Mutex
	max   int64
	bytes int64
	kept  *simplelru.LRU[[sha256.Size]byte, *answer]
}

func newAnswers(maxBytes int64) *answers {
	a := &answers{max: maxBytes}
	// Each costs 1 KiB at least, so that bytes bound the number too.
	kept, err := simplelru.NewLRU(int(maxBytes/1024)+1, func(_ [sha256.Size]byte, gone *answer) { a.bytes -= gone.size() })
	if err != nil {
		panic(err) // its size is above zero
	}
	a.kept = kept
	return a
}

// keyOf differs for whoever asks: nobody is shown another's answer.
func keyOf(req *http.Request) [sha256.Size]byte {
	return sha256.Sum256([]byte(req.URL.String() + "\x00" + req.Header.Get("Accept") + "\x00" +
		req.Header.Get("Authorization") + "\x00" + req.Header.Get("Private-Token")))
}

// find is nil for a request that nothing is known of.
func (a *answers) find(req *http.Request) *answer {
	if req.Method != http.MethodGet || req.Header.Get("If-None-Match") != "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, _ := a.kept.Get(keyOf(req))
	return found
}

// keep remembers an answer that has a tag; a large one would push out all others.
func (a *answers) keep(req *http.Request, resp *http.Response, body []byte) {
	tag := resp.Header.Get("ETag")
	kept := &answer{tag: tag, head: *resp, body: body}
	kept.head.Body, kept.head.Request, kept.head.TLS = nil, nil, nil
	if req.Method != http.MethodGet || resp.StatusCode != http.StatusOK || tag == "" || kept.size() > a.max/4 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key := keyOf(req)
	a.kept.Remove(key)
	a.kept.Add(key, kept)
	for a.bytes += kept.size(); a.bytes > a.max; {
		a.kept.RemoveOldest()
	}
}
