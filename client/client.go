package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

const (
	apiPrefix   = "/api/v1"
	maxBody     = 16 << 20 // bytes of an answer that are read
	maxErrBody  = 64 << 10
	callTimeout = 30 * time.Second
)

// Options says which server to talk to, and as whom.
type Options struct {
	// Server is the server's URL, http or https; a path is kept as a prefix.
	Server string
	// Token is sent as the bearer token; empty for Login only.
	Token string
	// HTTPClient replaces the default transport. Redirects are refused in either case, so that a
	// token is never carried elsewhere.
	HTTPClient *http.Client
	// RootCAs are the certificates that a server over https is checked against; nil is the system's.
	// The default transport uses them, HTTPClient does not.
	RootCAs *x509.CertPool
	// UserAgent is sent with each request; "sluice-client" when empty.
	UserAgent string
}

// Client calls the REST API of one server. It is safe for concurrent use.
type Client struct {
	base      *url.URL
	token     string
	http      *http.Client
	userAgent string
}

// New returns a client. It does not connect; the error is about the server's URL.
func New(opts Options) (*Client, error) {
	base, err := parseServer(opts.Server)
	if err != nil {
		return nil, err
	}
	hc := http.Client{Transport: newTransport(opts.RootCAs)}
	if opts.HTTPClient != nil {
		hc = *opts.HTTPClient
		hc.Timeout = 0 // streams outlive any timeout; calls are bounded one by one
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ua := opts.UserAgent
	if ua == "" {
		ua = "sluice-client"
	}
	return &Client{base: base, token: opts.Token, http: &hc, userAgent: ua}, nil
}

// Server returns the URL of the server without a slash at its end.
func (c *Client) Server() string { return c.base.String() }

// WithToken returns a client of the same server and connections with another token.
func (c *Client) WithToken(token string) *Client {
	other := *c
	other.token = token
	return &other
}

func parseServer(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil { // the parser's error repeats its input, which may hold a password
		return nil, errors.New("server: not a URL: want http:// or https:// and a host")
	}
	if u.User != nil {
		return nil, errors.New("server: credentials do not belong into the URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("server: %q is not an http or https URL", server)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server: the URL of %s ends with its path", u.Host)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2:   true,
		// All calls share one connection of HTTP/2. One that leads nowhere, because the way to the server changed, has to
		// be noticed: calls that time out do not end it, and TCP takes a quarter of an hour. Keep-alives of a stream, one
		// each 15 s, are answer enough.
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second},
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
	}
}

// call is one request to make. Segments of path are escaped by the caller with pathf.
type call struct {
	method string
	path   string // below the API prefix
	query  url.Values
	header http.Header
	body   any // marshalled to JSON; nil for none
	// again says that making the request twice does no harm, so that it may be retried.
	again   bool
	timeout time.Duration // of one attempt; callTimeout when 0
	// answered takes the header of the answer, unless nil.
	answered http.Header
}

// pathf joins escaped segments.
func pathf(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		raw, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: encode: %w", k.method, k.path, err)
		}
		body = bytes.NewReader(raw)
	}
	target := c.base.String() + apiPrefix + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.path, err)
	}
	maps.Copy(req.Header, k.header)
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", c.userAgent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header)) // nothing outside of a trace
	return req, nil
}

// send makes one attempt and returns the answer of a success; anything else is an error, *APIError
// when the server gave it.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok { // its text would repeat the whole URL
			err = ue.Err
		}
		return nil, fmt.Errorf("%s %s: %w", k.method, k.path, err)
	}
	if res.StatusCode/100 == 2 || res.StatusCode == http.StatusNotModified {
		return res, nil
	}
	defer res.Body.Close()
	return nil, fmt.Errorf("%s %s: %w", k.method, k.path, readError(res))
}

// do makes the call, again where that is safe, and decodes the answer into out unless out is nil.
func (c *Client) do(ctx context.Context, k call, out any) error {
	for attempt := 0; ; attempt++ {
		err := c.attempt(ctx, k, out)
		if err == nil || !k.again || attempt+1 >= maxAttempts || ctx.Err() != nil {
			return err
		}
		wait, ok := retryAfter(err, attempt)
		if !ok || sleep(ctx, wait) != nil {
			return err
		}
	}
}

func (c *Client) attempt(ctx context.Context, k call, out any) error {
	timeout := k.timeout
	if timeout == 0 {
		timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := c.send(ctx, k)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if k.answered != nil {
		clear(k.answered)
		maps.Copy(k.answered, res.Header)
	}
	return decode(res, k, out)
}

func decode(res *http.Response, k call, out any) error {
	raw, err := readAll(res.Body, maxBody)
	if err != nil {
		return fmt.Errorf("%s %s: read answer: %w", k.method, k.path, err)
	}
	if out == nil || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return nil
	}
	if text, ok := out.(*string); ok {
		*text = string(raw)
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: decode answer: %w", k.method, k.path, err)
	}
	return nil
}

// ErrTooLarge is returned for an answer beyond what is read of one.
var ErrTooLarge = errors.New("larger than allowed")

func readAll(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w (%d bytes)", ErrTooLarge, limit)
	}
	return raw, nil
}
