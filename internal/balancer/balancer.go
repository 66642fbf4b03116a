// Package balancer is a small load balancer on the loopback: it stands before
// the replicas of the demo and of tests as a real one stands before those of a
// cluster.
package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Balancer gives each request to the next replica that says it is ready, and
// cuts what hangs on one that is not any more.
type Balancer struct {
	listener net.Listener
	server   *http.Server
	plain    *http.Transport
	stop     context.CancelFunc
	working  sync.WaitGroup

	mu       sync.Mutex
	backends []*backend
	next     int
}

// backend is one replica as the balancer sees it.
type backend struct {
	url   *url.URL
	ready bool
	ctx   context.Context // ends when the backend is taken out
	out   context.CancelFunc
}

const (
	probeInterval = 50 * time.Millisecond
	probeTimeout  = 2 * time.Second // as long as the daemon itself takes to say that it is not ready
)

// New starts a balancer before the replicas at addrs, none of which need to run yet.
func New(addrs ...string) (*Balancer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the balancer: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &Balancer{listener: listener, plain: &http.Transport{DisableKeepAlives: true}, stop: stop}
	for _, addr := range addrs {
		one := &backend{url: &url.URL{Scheme: "http", Host: addr}}
		b.backends = append(b.backends, one)
		b.working.Go(func() { b.probe(ctx, one) })
	}
	b.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Rewrite: func(*httputil.ProxyRequest) {}, Transport: b, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
	}}
	b.working.Go(func() {
		b.server.Serve(listener) //nolint:errcheck // it ends with Close
	})
	return b, nil
}

// URL is where the balancer listens.
func (b *Balancer) URL() string { return "http://" + b.listener.Addr().String() }

// Close stops the balancer and cuts every connection through it.
func (b *Balancer) Close() error {
	b.stop()
	err := b.server.Close()
	b.working.Wait()
	return err
}

// probe takes a backend in and out of use as it is ready or not.
func (b *Balancer) probe(ctx context.Context, one *backend) {
	client := &http.Client{Transport: b.plain, Timeout: probeTimeout}
	defer b.mark(one, false)
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		resp, err := client.Get(one.url.String() + "/readyz")
		if err == nil {
			resp.Body.Close()
		}
		b.mark(one, err == nil && resp.StatusCode == http.StatusOK)
	}
}

func (b *Balancer) mark(one *backend, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ready && !one.ready:
		one.ctx, one.out = context.WithCancel(context.Background())
	case !ready && one.ready:
		one.out()
	}
	one.ready = ready
}

// inTurn lists the backends in use, beginning with the next one.
func (b *Balancer) inTurn() (out []backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.backends {
		if one := b.backends[(b.next+i)%len(b.backends)]; one.ready {
			out = append(out, *one)
		}
	}
	b.next++
	return out
}

// Ready counts the replicas in use.
func (b *Balancer) Ready() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.backends {
		if one.ready {
			n++
		}
	}
	return n
}

var errNobodyReady = errors.New("no replica is ready")

// RoundTrip asks one backend, and another one where that cannot be reached.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	err := errNobodyReady
	for _, one := range b.inTurn() {
		var resp *http.Response
		if resp, err = b.ask(one, r, body); err == nil {
			return resp, nil
		}
		if dial, ok := errors.AsType[*net.OpError](err); !ok || dial.Op != "dial" {
			break // it may have been heard
		}
	}
	return nil, err
}

// ask forwards a request, which ends when the backend is taken out.
func (b *Balancer) ask(one backend, r *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	release := context.AfterFunc(one.ctx, cancel)
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = one.url.Scheme, one.url.Host
	out.Body = http.NoBody
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := b.plain.RoundTrip(out)
	if err != nil {
		release()
		cancel()
		return nil, err
	}
	resp.Body = &answer{ReadCloser: resp.Body, end: func() { release(); cancel() }}
	return resp, nil
}

// answer is a body that lets go of its backend when it is closed.
type answer struct {
	io.ReadCloser
	end func()
}

// Close ends the request.
func (a *answer) Close() error {
	defer a.end()
	return a.ReadCloser.Close()
}
