package fakeserver

import (
	"io"
	"net/http"
	"sync"
)

// Transport reaches the server without a network, so that time can be simulated.
func (f *Server) Transport() http.RoundTripper { return transport{f.mux} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	a := &answer{header: http.Header{}, status: make(chan int, 1), body: w}
	served := req.Clone(req.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	go func() {
		t.handler.ServeHTTP(a, served)
		a.WriteHeader(http.StatusOK)
		_ = w.Close()
	}()
	stop := make(chan struct{})
	go func() {
		select {
		case <-req.Context().Done():
			_ = r.CloseWithError(req.Context().Err())
		case <-stop:
		}
	}()
	select {
	case status := <-a.status:
		return &http.Response{StatusCode: status, Header: a.header, Body: &body{PipeReader: r, stop: stop}, Request: req, ProtoMajor: 1, ProtoMinor: 1}, nil
	case <-req.Context().Done():
		close(stop)
		_ = r.CloseWithError(req.Context().Err()) // nobody reads what is still written
		return nil, req.Context().Err()
	}
}

type body struct {
	*io.PipeReader
	once sync.Once
	stop chan struct{}
}

func (b *body) Close() error {
	b.once.Do(func() { close(b.stop) })
	return b.PipeReader.Close()
}

type answer struct {
	header http.Header
	once   sync.Once
	status chan int
	body   *io.PipeWriter
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.once.Do(func() { a.status <- status }) }

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }
