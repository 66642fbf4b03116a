package faultproxy

import (
	"bytes"
	"io"
)

// trap is a cut that waits for its moment: a number of bytes, or some bytes.
type trap struct {
	after   int    // bytes
	pattern []byte // waited for in their place, unless nil
	skip    int    // so often the pattern still passes; under the proxy's lock
	where   Place
	sprung  chan struct{}
}

// Place is where a connection is cut, seen from a pattern that its client sends.
type Place int

// The places around a pattern.
const (
	Before   Place = iota // the target never sees the whole of it
	Behind                // the target has it, and is still at it
	Answered              // the target did as it was told, and the client cannot know
)

func (w Place) String() string { return [...]string{"before", "behind", "answered"}[w] }

// CutAfter resets the first connection whose client sends n more bytes, right
// behind them. The channel is closed when it happened.
func (p *Proxy) CutAfter(n int) <-chan struct{} { return p.arm(&trap{after: n}) }

// CutBefore resets the first connection whose client sends the pattern, and the
// target never sees the whole of it. The channel is closed when it happened.
func (p *Proxy) CutBefore(pattern string) <-chan struct{} { return p.Cut(Before, pattern, 0) }

// CutAnswer lets the pattern pass to the target, nothing behind it, and resets
// the connection when the target answers: it did as it was told, and the client
// cannot know. The channel is closed when it happened.
func (p *Proxy) CutAnswer(pattern string) <-chan struct{} { return p.Cut(Answered, pattern, 0) }

// Cut lets the pattern pass skip times, whoever sends it, and resets the
// connection whose client sends it then. The channel is closed when it happened.
func (p *Proxy) Cut(where Place, pattern string, skip int) <-chan struct{} {
	return p.arm(&trap{pattern: []byte(pattern), where: where, skip: skip})
}

// arm sets the one trap there is.
func (p *Proxy) arm(t *trap) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trap = t; t == nil {
		return nil
	}
	t.sprung = make(chan struct{})
	return t.sprung
}

func (p *Proxy) armed() *trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trap
}

// takes says whether the trap is this connection's; it is sprung once.
func (p *Proxy) takes(t *trap) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trap != t {
		return false
	}
	if t.skip > 0 {
		t.skip--
		return false
	}
	p.trap = nil
	return true
}

// fromClient forwards a client's bytes and looks for the moment to cut.
func (l *link) fromClient() func(io.Writer, []byte) bool {
	var seen *trap  // what sent and tail were counted for
	var sent int    // bytes since then
	var tail []byte // the last of them, which a pattern may have begun with
	return func(to io.Writer, chunk []byte) bool {
		if l.muted.Load() != nil {
			return true // nothing passes behind a pattern whose answer is awaited
		}
		t := l.proxy.armed()
		if t != seen {
			seen, sent, tail = t, 0, nil
		}
		if t == nil {
			return write(to, chunk)
		}
		at := t.moment(chunk, sent, tail)
		if at < 0 || !l.proxy.takes(t) {
			sent += len(chunk)
			tail = t.beginning(append(tail, chunk...))
			return write(to, chunk)
		}
		return l.spring(t, to, chunk[:at])
	}
}

// moment is how much of a chunk still passes before the cut; -1 when this is
// not its time.
func (t *trap) moment(chunk []byte, sent int, tail []byte) int {
	if t.pattern == nil {
		if left := t.after - sent; left <= len(chunk) {
			return left
		}
		return -1
	}
	i := bytes.Index(append(bytes.Clone(tail), chunk...), t.pattern)
	switch {
	case i < 0:
		return -1
	case t.where != Before:
		return max(0, i+len(t.pattern)-len(tail))
	default:
		return max(0, i-len(tail))
	}
}

// beginning is the end of what was sent, with which the pattern may begin.
func (t *trap) beginning(sent []byte) []byte {
	keep := max(0, len(t.pattern)-1)
	return bytes.Clone(sent[max(0, len(sent)-keep):])
}

// spring cuts, or waits for the answer to do so.
func (l *link) spring(t *trap, to io.Writer, last []byte) bool {
	if t.where == Answered {
		l.muted.Store(t)
		return write(to, last)
	}
	write(to, last)
	close(t.sprung)     // before the client can see it
	l.end(kill, closed) // a reset of the target could overtake the last bytes
	return false
}

// fromServer forwards the target's bytes, unless the first of them is awaited
// for a cut.
func (l *link) fromServer(to io.Writer, chunk []byte) bool {
	if t := l.muted.Swap(nil); t != nil {
		close(t.sprung)
		l.reset()
		return false
	}
	return write(to, chunk)
}

func write(to io.Writer, chunk []byte) bool {
	_, err := to.Write(chunk)
	return err == nil
}
