package contract

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
)

// Transport passes requests on and holds them and their answers against a
// document, once it has one. Answers without a trace id are not of the API.
type Transport struct {
	Next     http.RoundTripper
	document atomic.Pointer[Document]
}

// Hold gives the document, unless there is one already.
func (t *Transport) Hold(d *Document) { t.document.CompareAndSwap(nil, d) }

// Document is what is held against; nil before Hold.
func (t *Transport) Document() *Document { return t.document.Load() }

// CloseIdleConnections lets a test's server close.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.Next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip returns an error for what the document does not describe.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	d := t.document.Load()
	resp, err := t.Next.RoundTrip(r)
	if err != nil || d == nil || resp.Header.Get("X-Trace-Id") == "" {
		return resp, err
	}
	o := d.Find(r.Method, r.URL.EscapedPath())
	if o == nil {
		return resp, nil // the router said that there is no such thing
	}
	if err := t.check(d, o, r, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (t *Transport) check(d *Document, o *Operation, r *http.Request, resp *http.Response) error {
	body, err := keep(resp)
	if err != nil {
		return nil // whoever reads it sees how it broke off
	}
	if err := d.CheckAnswer(o, resp.StatusCode, resp.Header, body); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/event-stream" {
		resp.Body = &events{ReadCloser: resp.Body, document: d, operation: o}
	}
	var sent []byte
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return nil // it is gone
		}
		again, err := r.GetBody()
		if err != nil {
			return err
		}
		if sent, err = io.ReadAll(again); err != nil {
			return err
		}
	}
	if err := d.CheckRequest(o, r, sent); err != nil {
		return err
	}
	d.use(o)
	return nil
}

// keep reads a JSON body and puts it back.
func keep(resp *http.Response) ([]byte, error) {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return nil, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	back := io.Reader(bytes.NewReader(body))
	if err != nil {
		back = io.MultiReader(back, failing{err})
	}
	resp.Body = io.NopCloser(back)
	return body, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// events checks server-sent events as somebody reads them.
type events struct {
	io.ReadCloser
	document  *Document
	operation *Operation
	line      []byte
	name      string
}

func (e *events) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	for _, c := range p[:n] {
		if c != '\n' {
			e.line = append(e.line, c)
			continue
		}
		line := string(e.line)
		e.line = e.line[:0]
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			e.name = name
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := e.document.checkEvent(e.operation, e.name, []byte(data)); err != nil {
				e.document.fault(err)
			}
		}
	}
	return n, err
}
