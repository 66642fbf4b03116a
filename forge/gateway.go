package forge

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/spans/outgoing"
)

// GatewayOptions of a Gateway. The zero value of each but Host has a default.
type GatewayOptions struct {
	Host      string            // names the forge in errors and metrics
	Transport http.RoundTripper // what speaks with the forge in the end
	Timeout   time.Duration     // of one request until its answer is whole, 20 s
	MaxBody   int64             // bytes of one answer, 16 MiB
	MaxCache  int64             // bytes of answers kept for conditional requests, 16 MiB
	MaxAtOnce int               // requests under way, 4
	Now       func() time.Time

	// Quota is told what a forge says is left, Answered how each request ended;
	// nil for nobody who wants to know.
	Quota    func(host string, remaining, limit int)
	Answered func(host string, outcome Outcome)
}

// Outcome is how a request ended.
type Outcome string

// The outcomes.
const (
	Answered  Outcome = "ok"
	Unchanged Outcome = "unchanged" // it cost no quota
	Waiting   Outcome = "waiting"   // not sent: the forge asked for patience before
	Limited   Outcome = "limited"   // the forge asks for patience
	Denied    Outcome = "denied"    // the credentials do not do
	Missing   Outcome = "missing"
	Rejected  Outcome = "rejected" // for good
	Failed    Outcome = "failed"   // the forge's fault
	Lost      Outcome = "lost"     // no answer, or none that was whole
)

// Gateway is the one way to a forge, shared by all sources that use the same
// credentials there: it bounds time, size and number of requests, spares quota
// by conditional requests, and once the forge asks for patience it sends nothing
// until then.
//
// What it returns is whole. A LimitedError stands for an answer that asks for
// patience; other refusals are answers, which an adapter makes errors of.
// It is safe for concurrent use.
type Gateway struct {
	options GatewayOptions
	slots   chan struct{}
	limits  limits
	cache   *answers
}

var _ http.RoundTripper = (*Gateway)(nil)

// NewGateway returns a gateway to one forge.
func NewGateway(o GatewayOptions) *Gateway {
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.MaxBody, o.MaxCache, o.MaxAtOnce = cmp.Or(o.MaxBody, 16<<20), cmp.Or(o.MaxCache, 16<<20), cmp.Or(o.MaxAtOnce, 4)
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Quota == nil {
		o.Quota = func(string, int, int) {}
	}
	if o.Answered == nil {
		o.Answered = func(string, Outcome) {}
	}
	o.Transport = outgoing.Transport(o.Transport)
	return &Gateway{options: o, slots: make(chan struct{}, o.MaxAtOnce), cache: newAnswers(o.MaxCache)}
}

// newTransport is Go's own, which finds out connections that lead nowhere: sources and their outbox ask so often that one
// would be in use for a quarter of an hour.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nobody replaces it
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	return t
}

// Client returns a client that goes through the gateway. It follows few
// redirects, and those on the same host alone.
func (g *Gateway) Client() *http.Client {
	return &http.Client{Transport: g, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return fmt.Errorf("%w: %s redirects in circles", ErrTerminal, g.options.Host)
		}
		return nil
	}}
}

// Host names the forge.
func (g *Gateway) Host() string { return g.options.Host }

// RoundTrip sends one request and returns its answer, whole.
func (g *Gateway) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, outcome, err := g.pass(req)
	if err != nil && req.Body != nil {
		req.Body.Close() // it is not sent, or sent already
	}
	g.options.Answered(g.options.Host, outcome)
	return resp, err
}

func (g *Gateway) pass(req *http.Request) (*http.Response, Outcome, error) {
	ctx, cancel := context.WithTimeout(req.Context(), g.options.Timeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, Lost, g.lost(req, ctx.Err())
	}
	if err := g.limits.closed(g.options.Host, g.options.Now()); err != nil {
		return nil, Waiting, err
	}
	return g.exchange(ctx, req)
}

// exchange makes one request to the forge.
func (g *Gateway) exchange(ctx context.Context, req *http.Request) (*http.Response, Outcome, error) {
	out := req.Clone(ctx)
	known := g.cache.find(req)
	if known != nil {
		out.Header.Set("If-None-Match", known.tag)
	}
	resp, err := g.options.Transport.RoundTrip(out)
	if err != nil {
		return nil, Lost, g.lost(req, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, g.options.MaxBody+1))
	if err != nil {
		return nil, Lost, g.lost(req, err)
	}
	if int64(len(body)) > g.options.MaxBody {
		return nil, Rejected, fmt.Errorf("%s: %w: %s answers with more than %d bytes", place(req), ErrTerminal, g.options.Host, g.options.MaxBody)
	}
	return g.judge(req, resp, body, known)
}

// judge decides what an answer is.
func (g *Gateway) judge(req *http.Request, resp *http.Response, body []byte, known *answer) (*http.Response, Outcome, error) {
	now, q := g.options.Now(), readQuota(resp.Header)
	if q.known {
		g.options.Quota(g.options.Host, q.remaining, q.limit)
	}
	wait, refused := patience(resp.StatusCode, resp.Header, body, now)
	if wait > 0 {
		g.limits.close(now.Add(wait))
	}
	if refused {
		return nil, Limited, &LimitedError{Host: g.options.Host, Until: now.Add(wait), after: wait}
	}
	if resp.StatusCode == http.StatusNotModified && known != nil {
		return known.response(req, resp.Header), Unchanged, nil
	}
	if err := g.moved(req, resp); err != nil {
		return nil, Rejected, err
	}
	g.cache.keep(req, resp, body)
	return whole(req, resp, body), outcomeOf(resp.StatusCode), nil
}

// moved refuses a redirect that would take the credentials elsewhere, or make
// something else of a request than was asked for.
func (g *Gateway) moved(req *http.Request, resp *http.Response) error {
	if resp.StatusCode < 300 || resp.StatusCode > 399 || resp.Header.Get("Location") == "" {
		return nil
	}
	to, err := req.URL.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w: %s redirects to no address", place(req), ErrTerminal, g.options.Host)
	case to.Host != req.URL.Host || to.Scheme != req.URL.Scheme:
		return fmt.Errorf("%s: %w: %s redirects to another host: correct the URL of the forge", place(req), ErrTerminal, g.options.Host)
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return fmt.Errorf("%s: %w: %s says that it moved: correct the name of the repository", place(req), ErrTerminal, g.options.Host)
	}
	return nil
}

// lost is the error of a request that nothing whole came back for. It is not
// known whether the forge did what was asked.
func (g *Gateway) lost(req *http.Request, err error) error {
	switch {
	case req.Context().Err() != nil:
		return fmt.Errorf("%s at %s: %w", place(req), g.options.Host, req.Context().Err())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %s does not answer within %s", place(req), g.options.Host, g.options.Timeout)
	}
	// What the network says may quote what was sent or received.
	return fmt.Errorf("%s: no answer of %s: %s", place(req), g.options.Host, masked(req, err.Error()))
}

// place is what a request asks for, without its query.
func place(req *http.Request) string { return req.Method + " " + req.URL.EscapedPath() }

// whole is an answer whose body was read. Its quota headers are gone: libraries
// draw conclusions of their own from them, by their own clock.
func whole(req *http.Request, resp *http.Response, body []byte) *http.Response {
	h := resp.Header.Clone()
	for _, name := range quotaHeaders {
		h.Del(name)
	}
	return &http.Response{
		Status: resp.Status, StatusCode: resp.StatusCode, Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}
