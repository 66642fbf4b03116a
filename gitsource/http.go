package gitsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// newHTTPTransport returns the mirror's own connection pool; go-git's global clients stay as they are.
func newHTTPTransport(o Options) (*http.Transport, error) {
	policy := addressPolicy{allowLoopback: o.AllowLoopback, denyPrivate: o.DenyPrivateNetworks}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            policy.dialer().DialContext,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}, // finds out connections that lead nowhere
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  2 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if len(o.CABundle) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(o.CABundle) {
			return nil, fmt.Errorf("%w %s: the CA bundle holds no certificate", ErrOptions, o.ID)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return t, nil
}

func (m *Mirror) connectHTTP(ctx context.Context) (*connection, error) {
	user, token, err := m.auth.token(ctx)
	if err != nil {
		return nil, err
	}
	var auth transport.AuthMethod
	if token != "" {
		auth = &githttp.BasicAuth{Username: user, Password: token}
	}
	c := &connection{watch: new(watch), redact: redactor(user, token)}
	client := &http.Client{Transport: &httpGuard{next: m.http, watch: c.watch}}
	tr := githttp.NewClientWithOptions(client, &githttp.ClientOptions{RedirectPolicy: githttp.NoFollowRedirects})
	if c.UploadPackSession, err = tr.NewUploadPackSession(m.remote.endpoint(), auth); err != nil {
		return nil, m.remoteError(ctx, c, err)
	}
	return c, nil
}

// httpGuard judges each answer before go-git reads it: go-git would follow redirects by its own rules, read error
// bodies without bound and put them into its errors.
type httpGuard struct {
	next  http.RoundTripper
	watch *watch
}

// RoundTrip sends one request. It refuses redirects and answers that are not successful.
func (g *httpGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if kind := statusError(res.StatusCode, movedTo(req, res)); kind != nil {
		if err := res.Body.Close(); err != nil {
			return nil, g.watch.note(fmt.Errorf("%w: close answer", kind))
		}
		return nil, g.watch.note(kind)
	}
	if req.Method == http.MethodGet {
		res.Body = &cappedBody{ReadCloser: res.Body, left: maxAdvertisedBytes, watch: g.watch}
	}
	return res, nil
}

// movedTo is the repository's address that a redirect names, "" for none. It is for people: nothing is asked there.
func movedTo(req *http.Request, res *http.Response) string {
	location := res.Header.Get("Location")
	to, err := req.URL.Parse(location)
	if location == "" || err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
		return ""
	}
	repository, isGit := strings.CutSuffix(to.Path, "/info/refs")
	if !isGit || repository == "" || res.StatusCode < 300 || res.StatusCode > 399 {
		return ""
	}
	return printable((&url.URL{Scheme: to.Scheme, Host: to.Host, Path: repository}).String(), 200)
}

func statusError(status int, movedTo string) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400 && movedTo != "":
		return fmt.Errorf("%w: the server answered %d; it has the repository at %s now: configure that address, if it is to be trusted", ErrRedirect, status, movedTo)
	case status >= 300 && status < 400:
		return fmt.Errorf("%w: the server answered %d; configure the repository's final address", ErrRedirect, status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: the server answered %d", ErrAuth, status)
	case status == http.StatusNotFound, status == http.StatusGone:
		return fmt.Errorf("%w: the server answered %d", ErrRepositoryNotFound, status)
	}
	return fmt.Errorf("%w: the server answered %d", ErrRemote, status)
}

// cappedBody ends a body that is longer than allowed with an error.
type cappedBody struct {
	io.ReadCloser
	left  int64
	watch *watch
}

// Read reads on while the cap allows it.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.watch.note(fmt.Errorf("%w: the list of refs has more than %d bytes", ErrLimit, maxAdvertisedBytes))
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
