package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whom a readers' process asks, what for, and how many of it there are.
const (
	targetEnv = "SLUICE_BENCH_TARGET"
	kindEnv   = "SLUICE_BENCH_KIND"
	countEnv  = "SLUICE_BENCH_COUNT"
)

// kind is what a connection asks for.
type kind struct {
	// request is the head of a request, without its tag and its end.
	request func(m member) string
	streams bool // one answer of many events, instead of many answers
	prompt  bool // a long poll whose first answer comes at once
}

var kinds = map[string]kind{
	"watch": {streams: true, request: func(m member) string {
		return fmt.Sprintf("GET /api/v1/instances/%s/watch HTTP/1.1\r\nAuthorization: Bearer %s", m.ID, m.Token)
	}},
	"configs": {prompt: true, request: func(m member) string {
		return fmt.Sprintf("GET /api/v1/instances/%s/configs HTTP/1.1\r\nPrefer: wait=55\r\nAuthorization: Bearer %s", m.ID, m.Token)
	}},
	"stream": {streams: true, request: func(member) string { return "GET /stream HTTP/1.1" }},
	"poll":   {request: func(member) string { return "GET /poll HTTP/1.1" }},
}

// readers are many open connections, each read by a goroutine: the same for ours and for the floor.
type readers struct {
	kind  kind
	lines []*line
	heard chan hearing
	size  int64 // bytes of the last event
}

type hearing struct {
	at    time.Time
	bytes int
	err   error
}

// line is one connection, with the answer that is being read of it.
type line struct {
	conn   net.Conn
	in     *bufio.Reader
	answer *bufio.Reader
	head   string
	tag    string
}

// readersProcess opens its connections, 64 at a time, and waits until each is one that waits.
func readersProcess(context.Context) (serving, error) {
	n, err := strconv.Atoi(os.Getenv(countEnv))
	if err != nil {
		return serving{}, err
	}
	k := kinds[os.Getenv(kindEnv)]
	members := make([]member, n)
	if os.Getenv(membersEnv) != "" {
		if members, err = readMembers(); err != nil {
			return serving{}, err
		}
	}
	r := &readers{kind: k, lines: make([]*line, n), heard: make(chan hearing, n)}
	if err := r.connect(os.Getenv(targetEnv), members); err != nil {
		return serving{}, err
	}
	return serving{http.NotFoundHandler(), map[string]command{
		"listen": func(_ context.Context, words []byte) (int64, error) { r.listen(words); return 0, nil },
		"last":   func(context.Context, []byte) (int64, error) { return r.last() },
		"size":   func(context.Context, []byte) (int64, error) { return r.size, nil },
	}}, nil
}

func (r *readers) connect(target string, members []member) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	turn := make(chan int)
	for range 64 {
		group.Go(func() {
			for i := range turn {
				l, err := r.kind.dial(target, members[i])
				if err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("connection %d: %w", i, err))
					mu.Unlock()
				}
				r.lines[i] = l
			}
		})
	}
	for i := range r.lines {
		turn <- i
	}
	close(turn)
	group.Wait()
	return errors.Join(errs...)
}

func (k kind) dial(target string, m member) (*line, error) {
	conn, err := net.Dial("tcp", target)
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), head: k.request(m)}
	if err := l.ask(); err != nil {
		return nil, err
	}
	switch {
	case k.streams:
		_, err = l.event(nil)
	case k.prompt:
		_, err = l.body(nil)
	}
	return l, err
}

// ask sends a request, or the next one.
func (l *line) ask() error {
	tag := ""
	if l.tag != "" {
		tag = "\r\nIf-None-Match: " + l.tag
	}
	_, err := io.WriteString(l.conn, l.head+tag+"\r\nHost: bench\r\n\r\n")
	return err
}

// respond reads the head of an answer.
func (l *line) respond() (*http.Response, error) {
	res, err := http.ReadResponse(l.in, nil)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", res.Status)
	}
	if err == nil {
		l.tag = res.Header.Get("ETag")
	}
	return res, err
}

// event reads one event of a stream that has the words, and gives its size.
func (l *line) event(words []byte) (n int, err error) {
	if l.answer == nil {
		res, err := l.respond() //nolint:bodyclose // it lasts as long as its connection
		if err != nil {
			return 0, err
		}
		l.answer = bufio.NewReaderSize(res.Body, 4<<10)
	}
	data := false
	for {
		text, err := l.answer.ReadSlice('\n')
		n += len(text)
		if bytes.HasPrefix(text, []byte("data:")) { // a long line's beginning too
			data = bytes.Contains(text, words)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return n, err
		case len(text) == 1 && data: // the end of an event that says something; comments do not
			return n, nil
		case len(text) == 1:
			n = 0
		}
	}
}

// body reads one whole answer, asks again, and gives its size: the next wait begins with its end.
func (l *line) body([]byte) (int, error) {
	res, err := l.respond()
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil {
		err = l.ask()
	}
	return int(n), err
}

// listen reads the next event with the words, or the next answer, of every connection.
func (r *readers) listen(words []byte) {
	read := (*line).body
	if r.kind.streams {
		read = (*line).event
	}
	for _, l := range r.lines {
		go func() {
			n, err := read(l, words)
			r.heard <- hearing{time.Now(), n, err}
		}()
	}
}

// last waits until everybody heard, and says when the last one did.
func (r *readers) last() (int64, error) {
	var all []int64
	deadline := time.After(time.Minute)
	for len(all) < len(r.lines) {
		select {
		case h := <-r.heard:
			if h.err != nil {
				return 0, h.err
			}
			all, r.size = append(all, h.at.UnixNano()), int64(h.bytes)
		case <-deadline:
			return 0, fmt.Errorf("%d of %d heard nothing for a minute", len(r.lines)-len(all), len(r.lines))
		}
	}
	return slices.Max(all), nil
}

// startReaders connects n readers to a server, as a process of their own.
func startReaders(t testing.TB, server *process, kind, members string, n int) *process {
	t.Helper()
	return startChild(t, "readers", targetEnv+"="+server.door, kindEnv+"="+kind, membersEnv+"="+members, countEnv+"="+strconv.Itoa(n))
}

// told is how long a broadcast took from its commit until the last reader had it, in milliseconds.
func told(server, readers *process, text string) float64 {
	server.t.Helper()
	readers.do("listen", "")
	committed := server.do("tell", text)
	return float64(readers.do("last", "")-committed) / 1e6
}

// sameBytes is an event of n bytes.
func sameBytes(n int) string {
	const head, tail = "event: assignments\ndata: ", "\n\n"
	return head + strings.Repeat("x", max(0, n-len(head)-len(tail))) + tail
}

func TestSameBytes(t *testing.T) {
	if n := len(sameBytes(1300)); n != 1300 {
		t.Errorf("%d bytes", n)
	}
}
