package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a client's connection and the one to the target that belongs to it.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	muted  atomic.Pointer[trap] // ends the connection at the target's next byte

	answered atomic.Bool // the target spoke last

	mu     sync.Mutex
	server *net.TCPConn
	once   sync.Once
	gone   chan struct{} // closed by reset
}

func (l *link) run() {
	defer l.proxy.remove(l)
	defer l.reset()
	if !l.pass(time.Now()) || !l.dial() {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(l.server, l.client, l.asking(l.fromClient())) })
	both.Go(func() { l.pump(l.client, l.server, l.answering(l.fromServer)) })
	both.Wait()
	l.end(closed, closed)
}

// ping is what the driver of PostgreSQL asks of a connection that has rested for a second: how often is by the clock.
const ping = "-- ping"

// asking counts a round trip when the client speaks after the target did.
func (l *link) asking(forward func(io.Writer, []byte) bool) func(io.Writer, []byte) bool {
	return func(to io.Writer, chunk []byte) bool {
		if l.answered.Swap(false) && !bytes.Contains(chunk, []byte(ping)) {
			l.proxy.roundTrips.Add(1)
		}
		return forward(to, chunk)
	}
}

func (l *link) answering(forward func(io.Writer, []byte) bool) func(io.Writer, []byte) bool {
	return func(to io.Writer, chunk []byte) bool {
		l.answered.Store(true)
		return forward(to, chunk)
	}
}

// dial connects to the target; where that refuses, the client is reset.
func (l *link) dial() bool {
	conn, err := (&net.Dialer{}).DialContext(l.proxy.ctx, "tcp", l.proxy.target)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = conn.(*net.TCPConn)
	select {
	case <-l.gone:
		kill(l.server)
		return false
	default:
		return true
	}
}

// reset ends both connections at once, without the farewell of TCP.
func (l *link) reset() { l.end(kill, kill) }

// end ends both connections, once.
func (l *link) end(client, server func(*net.TCPConn)) {
	l.once.Do(func() {
		close(l.gone)
		client(l.client)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.server != nil {
			server(l.server)
		}
	})
}

func kill(conn *net.TCPConn) {
	conn.SetLinger(0) //nolint:errcheck // an error says that it is closed already
	closed(conn)
}

func closed(conn *net.TCPConn) {
	conn.Close() //nolint:errcheck // nobody is left to be told
}

// pump brings bytes from one side to the other. forward writes them, and says
// whether the connection goes on.
func (l *link) pump(to, from *net.TCPConn, forward func(to io.Writer, chunk []byte) bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !l.pass(time.Now()) || n > 0 && !forward(to, buf[:n]) {
			l.reset()
			return
		}
		switch {
		case errors.Is(err, io.EOF):
			to.CloseWrite() //nolint:errcheck // whoever does not hear it is gone
			return
		case err != nil:
			l.reset()
			return
		}
	}
}

// pass waits until what came at a time may go on. It answers false when the
// connection ended meanwhile.
func (l *link) pass(came time.Time) bool {
	for {
		mode, latency, changed := l.proxy.state()
		wait := latency - time.Since(came)
		if mode == passing && wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		if mode != passing {
			timer.Stop() // only a change helps
		}
		select {
		case <-timer.C:
		case <-changed:
		case <-l.gone:
			return false
		}
		timer.Stop()
	}
}
