package faultproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// strandedConn is a connection whose other end went away without a word, as behind a router that lost its table: what is
// written is gone, and nothing comes.
type strandedConn struct {
	net.Conn
	lost chan struct{}
}

// Write loses what it is given, once the way is lost.
func (c strandedConn) Write(p []byte) (int, error) {
	select {
	case <-c.lost:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// Read waits for ever then.
func (c strandedConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		select {
		case <-c.lost:
			if err != nil {
				return n, err
			}
		default:
			return n, err
		}
	}
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// Accept gives the next connection.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

// Addr is that of nobody.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// GivesUpStranded asks a server over HTTP/2 by a transport, and lets the connection lead nowhere: what is asked again and
// again afterwards has to get through within a minute, by another connection. Calls that time out do not end one, and as
// long as something is asked over it, it is never idle.
func GivesUpStranded(t *testing.T, transport *http.Transport) {
	t.Helper()
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{
			Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }),
			TLSConfig: &tls.Config{Certificates: certificate.TLS.Certificates, MinVersion: tls.VersionTLS12},
		}
		served := make(chan error, 1)
		go func() { served <- server.ServeTLS(l, "", "") }()
		defer func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		}()
		lost, dials := make(chan struct{}), 0
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} // the bubble's clock is before the certificate
		transport.Proxy = nil
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials++
			here, there := net.Pipe()
			l.conns <- there
			if dials == 1 {
				return strandedConn{here, lost}, nil
			}
			return here, nil
		}
		defer transport.CloseIdleConnections()
		if err := asked(t, transport); err != nil {
			t.Fatal(err)
		}
		close(lost)
		for began := time.Now(); asked(t, transport) != nil; time.Sleep(5 * time.Second) {
			if time.Since(began) > time.Minute {
				t.Errorf("nothing got through for %s over %d connections", time.Since(began), dials)
				break
			}
		}
	})
}

// asked makes one request, and has ten seconds for it.
func asked(t *testing.T, transport *http.Transport) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://server.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	proto, err := io.ReadAll(res.Body)
	if err == nil && string(proto) != "HTTP/2.0" {
		t.Errorf("spoke %s, want HTTP/2", proto)
	}
	return err
}
