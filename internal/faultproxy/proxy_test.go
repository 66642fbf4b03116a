package faultproxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/faultproxy"
)

// patience ends a wait that is in vain.
const patience = 20 * time.Second

// echo is a server that answers each line with the same line, and keeps what it heard.
type echo struct {
	addr  string
	mu    sync.Mutex
	lines []string
	count int
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: listener.Addr().String()}
	var running sync.WaitGroup
	t.Cleanup(func() { listener.Close(); running.Wait() })
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { e.serve(conn) })
		}
	})
	return e
}

func (e *echo) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(io.TeeReader(conn, e))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		e.mu.Lock()
		e.lines = append(e.lines, strings.TrimSpace(line))
		e.mu.Unlock()
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

// Write counts what is read, lines or not.
func (e *echo) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count += len(b)
	return len(b), nil
}

func (e *echo) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, ",")
}

func (e *echo) bytes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

func dial(t *testing.T, p *faultproxy.Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// say sends a line and reads what comes back.
func say(conn net.Conn, line string) (string, error) {
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

func hears(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	if got, err := say(conn, line); err != nil || got != line {
		t.Fatalf("said %q, heard %q, %v", line, got, err)
	}
}

// isReset reads until the connection ends, which must be by a reset.
func isReset(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the connection ended with %v, want a reset", err)
	}
}

// refuses connects in vain.
func refuses(t *testing.T, p *faultproxy.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer conn.Close()
		isReset(t, conn)
	} else if !errors.Is(err, syscall.ECONNRESET) { // the reset may be quicker than the dial
		t.Errorf("the dial ended with %v, want a reset", err)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func happened(t *testing.T, cut <-chan struct{}) {
	t.Helper()
	select {
	case <-cut:
	case <-time.After(patience):
		t.Fatal("the cut did not happen")
	}
}

func TestPassIsTransparent(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, newEcho(t).addr)
	conn := dial(t, p)
	big := strings.Repeat("x", 1<<20)
	hears(t, conn, big)
	if _, err := fmt.Fprintln(conn, big); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(conn)
	if err != nil || len(rest) != len(big)+1 {
		t.Errorf("after the client's end came %d bytes, %v; want %d and no reset", len(rest), err, len(big)+1)
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, newEcho(t).addr)
	old := dial(t, p)
	hears(t, old, "one")
	p.Down()
	isReset(t, old)
	refuses(t, p)
	p.Pass()
	hears(t, dial(t, p), "two")
}

// What is sent into a partition arrives after it, in a connection that stood
// and in one that began meanwhile.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	e := newEcho(t)
	p := faultproxy.New(t, e.addr)
	old := dial(t, p)
	hears(t, old, "one")
	p.Blackhole()
	fresh := dial(t, p)
	for _, conn := range []*net.TCPConn{old, fresh} {
		if _, err := fmt.Fprintln(conn, "two"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("in a partition the client sees %v, want silence", err)
		}
	}
	if got := e.heard(); got != "one" {
		t.Errorf("in a partition the target heard %s", got)
	}
	p.Pass()
	eventually(t, "what was sent meanwhile", func() bool { return e.heard() == "one,two,two" })
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestLatency(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, newEcho(t).addr)
	conn := dial(t, p)
	hears(t, conn, "one")
	const d = 50 * time.Millisecond
	p.Latency(d)
	began := time.Now()
	hears(t, conn, "two")
	if took := time.Since(began); took < 2*d {
		t.Errorf("there and back took %s, want at least %s each way", took, d)
	}
	p.Latency(time.Hour)
	if _, err := fmt.Fprintln(conn, "three"); err != nil {
		t.Fatal(err)
	}
	p.Pass()
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "three\n" {
		t.Errorf("after the delay ended came %q, %v", answer, err)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, newEcho(t).addr)
	old := dial(t, p)
	hears(t, old, "one")
	p.Reset()
	isReset(t, old)
	hears(t, dial(t, p), "two")
}

func TestCutAfter(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9, 10, 11, 40_000} {
		e := newEcho(t)
		p := faultproxy.New(t, e.addr)
		conn := dial(t, p)
		hears(t, conn, "0123456789")
		before := e.bytes()
		cut := p.CutAfter(n)
		io.WriteString(conn, strings.Repeat("x", 50_000)) //nolint:errcheck // it is cut
		happened(t, cut)
		isReset(t, conn)
		eventually(t, fmt.Sprintf("exactly %d bytes, not %d", n, e.bytes()-before), func() bool { return e.bytes()-before == n })
		hears(t, dial(t, p), "again")
	}
}

// Exactly so many bytes pass: the line that ends there is heard.
func TestCutAfterIsExact(t *testing.T) {
	t.Parallel()
	e := newEcho(t)
	p := faultproxy.New(t, e.addr)
	conn := dial(t, p)
	cut := p.CutAfter(len("one\ntwo\n"))
	hears(t, conn, "one")
	io.WriteString(conn, "two\nthree\n") //nolint:errcheck // it is cut
	happened(t, cut)
	isReset(t, conn)
	eventually(t, "all that was sent before the cut", func() bool { return e.heard() == "one,two" })
}

// A pattern is found where it begins in one packet and ends in another.
func TestCutBefore(t *testing.T) {
	t.Parallel()
	for _, packets := range [][]string{{"two\nCOMMIT\n"}, {"two\nCOM", "MIT\n"}, {"two\nC", "OMMIT", "\n"}} {
		e := newEcho(t)
		p := faultproxy.New(t, e.addr)
		conn, other := dial(t, p), dial(t, p)
		hears(t, other, "zero")
		cut := p.CutBefore("COMMIT\n")
		hears(t, conn, "one")
		for _, packet := range packets[:len(packets)-1] {
			want := e.bytes() + len(packet)
			if _, err := io.WriteString(conn, packet); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a packet of its own", func() bool { return e.bytes() == want })
		}
		io.WriteString(conn, packets[len(packets)-1]) //nolint:errcheck // it is cut
		happened(t, cut)
		isReset(t, conn)
		hears(t, other, "three")
		if got := e.heard(); strings.Contains(got, "COMMIT") {
			t.Errorf("the target heard %s", got)
		}
		hears(t, other, "COMMIT") // a cut happens once
	}
}

func TestCutAnswer(t *testing.T) {
	t.Parallel()
	e := newEcho(t)
	p := faultproxy.New(t, e.addr)
	conn := dial(t, p)
	hears(t, conn, "one")
	cut := p.CutAnswer("COMMIT\n")
	if _, err := io.WriteString(conn, "COMMIT\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	happened(t, cut)
	if rest, err := io.ReadAll(conn); len(rest) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read %q, %v; want a reset and no answer", rest, err)
	}
	if got := e.heard(); got != "one,COMMIT" {
		t.Errorf("the target heard %s", got)
	}
	hears(t, dial(t, p), "COMMIT")
}

// Behind a pattern nobody waits for the answer, and what came before it passes
// as often as it should.
func TestCutBehind(t *testing.T) {
	t.Parallel()
	e := newEcho(t)
	p := faultproxy.New(t, e.addr)
	conn, other := dial(t, p), dial(t, p)
	cut := p.Cut(faultproxy.Behind, "COMMIT\n", 2)
	hears(t, conn, "COMMIT")
	hears(t, other, "COMMIT")
	if _, err := io.WriteString(conn, "last\nCOMMIT\nmore\n"); err != nil {
		t.Fatal(err)
	}
	happened(t, cut)
	eventually(t, "all up to the cut", func() bool { return e.heard() == "COMMIT,COMMIT,last,COMMIT" })
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v, want a reset", err)
	}
	hears(t, other, "COMMIT")
}

func TestTargetIsAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.New(t, listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, p)
}

// Not parallel: it counts the goroutines of the process.
func TestCloseLeavesNothing(t *testing.T) {
	e := newEcho(t)
	hears(t, dial(t, faultproxy.New(t, e.addr)), "warm")
	before := runtime.NumGoroutine()
	for _, fault := range []func(*faultproxy.Proxy){
		func(*faultproxy.Proxy) {}, (*faultproxy.Proxy).Blackhole, (*faultproxy.Proxy).Down,
		func(p *faultproxy.Proxy) { p.Latency(time.Hour) }, func(p *faultproxy.Proxy) { p.CutAnswer("x") },
	} {
		p := faultproxy.New(t, e.addr)
		conns := []net.Conn{dial(t, p), dial(t, p)}
		for _, conn := range conns {
			hears(t, conn, "one")
		}
		fault(p)
		if conn, err := net.Dial("tcp", p.Addr()); err == nil {
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			io.WriteString(conn, "two") //nolint:errcheck // it may be cut by now
		}
		p.Close()
		for _, conn := range conns {
			conn.Close()
		}
	}
	eventually(t, "every goroutine to end", func() bool { return runtime.NumGoroutine() <= before })
}
