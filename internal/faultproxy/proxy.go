package faultproxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards the connections it accepts to its target.
type Proxy struct {
	target   string
	listener net.Listener
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	running  sync.WaitGroup

	roundTrips atomic.Int64

	mu      sync.Mutex
	mode    mode
	latency time.Duration
	trap    *trap
	changed chan struct{} // closed and replaced when mode or latency change
	links   map[*link]struct{}
}

type mode int

const (
	passing mode = iota
	down
	blackhole
)

// New starts a proxy on a free port of the loopback. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	t.Cleanup(p.Close)
	return p
}

// RoundTrips is how often clients have asked anew after an answer: what they send
// together is one, and whether the connection still stands is no question.
func (p *Proxy) RoundTrips() int { return int(p.roundTrips.Load()) }

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close resets all connections and waits until nothing of the proxy runs. A
// second call does nothing.
func (p *Proxy) Close() {
	p.stop()
	p.listener.Close() //nolint:errcheck // an error says that it is closed already
	p.Reset()
	p.running.Wait()
}

// Pass forwards what comes and disarms a cut that did not happen.
func (p *Proxy) Pass() { p.become(passing, 0); p.arm(nil) }

// Down resets all connections, and each new one as soon as it is there.
func (p *Proxy) Down() { p.become(down, 0); p.Reset() }

// Blackhole lets connections stand, accepts new ones and brings no byte and no
// end of a connection to the other side. As after a partition, what was sent
// meanwhile arrives when it is over.
func (p *Proxy) Blackhole() { p.become(blackhole, 0) }

// Latency holds what is sent for d, at least, in each direction.
func (p *Proxy) Latency(d time.Duration) { p.become(passing, d) }

// Reset resets the connections that stand now.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

func (p *Proxy) become(m mode, latency time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.latency = m, latency
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		l := &link{proxy: p, client: conn.(*net.TCPConn), gone: make(chan struct{})}
		if p.add(l) {
			p.running.Go(l.run)
		}
	}
}

// add takes a connection, or resets it.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == down || p.ctx.Err() != nil {
		l.reset()
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// state is what a connection has to keep to, until changed is closed.
func (p *Proxy) state() (mode, time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.latency, p.changed
}
