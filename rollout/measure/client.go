package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Bounds on what a provider outside may cost.
const (
	maxAnswer      = 1 << 20  // bytes that Prometheus may answer
	maxWord        = 64 << 10 // bytes that a webhook may answer, and that are read of a probe's
	maxHeaders     = 32 << 10
	maxConnections = 32 // to one host
)

// newTransport is one of an admin's settings: any address, by the proxy of the environment.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    3 * time.Second,
		MaxResponseHeaderBytes: maxHeaders,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}, // finds out connections that lead nowhere
	}
}

// noRedirects hands a redirect back as the answer: it could lead anywhere.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// capped lets no answer grow beyond maxAnswer.
type capped struct{ next http.RoundTripper }

func (c capped) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err == nil {
		resp.Body = &cappedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

var errTooLarge = fmt.Errorf("the answer is larger than %d KiB", maxAnswer>>10)

type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// why says in words what kept a request from being answered. It holds no URL
// and no host: those of errors of net/http may be secrets.
func why(ctx context.Context, err error, timeout time.Duration) string {
	if url, ok := errors.AsType[*url.Error](err); ok {
		err = url.Err
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	_, isRefused := errors.AsType[*refused](err)
	switch {
	case isRefused, errors.Is(err, errTooLarge):
		return err.Error()
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer within " + timeout.String()
	case ctx.Err() != nil, errors.Is(err, context.Canceled):
		return "nobody waited for the answer"
	case isDNS && dns.IsNotFound:
		return "its host name does not resolve"
	case isDNS:
		return "its host name could not be looked up"
	case isOp:
		if sys, ok := errors.AsType[*os.SyscallError](op.Err); ok {
			return sys.Err.Error()
		}
		return op.Op + " failed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	}
	return "the request failed: " + fmt.Sprintf("%T", err)
}
