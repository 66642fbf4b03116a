package forge

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/internal/redact"
)

// maxPages bounds how far a list is read: nothing that Sluice asks for is that long.
const maxPages = 100

// serverURL checks the address of a server and takes the slash off its end.
func serverURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, fmt.Errorf("url %q is not of the form https://host", redact.URL(s))
	case u.User != nil:
		return nil, fmt.Errorf("url %q holds credentials: put them into the token", redact.URL(s))
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("url %q has more than a host and a path", redact.URL(s))
	}
	return u, nil
}

// refusingClient goes through a gateway, or one of its own when that is nil, and
// makes errors of refusals: what an SDK would make of them has no kind.
func refusingClient(g *Gateway, server *url.URL) *http.Client {
	g = cmp.Or(g, NewGateway(GatewayOptions{Host: server.Host}))
	through := g.Client()
	through.Transport = refusing{next: g}
	return through
}

type refusing struct{ next *Gateway }

// RoundTrip sends one request and returns its answer when that is a success.
func (d refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	return nil, refusal(d.next.Host(), req, resp)
}

// statusOf is the HTTP status of a refusal, 0 for an error that is none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*AnswerError](err); ok {
		return e.Status
	}
	return 0
}

// failed says what was tried at a forge.
func failed(forge, what string, err error) error {
	// The client's own error names the address once more.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s: %s: %w", forge, what, err)
}

// isBlob says whether a file's object, "" for no file, has the content already.
func isBlob(object string, content *string) bool {
	if content == nil || object == "" {
		return content == nil && object == ""
	}
	blob := fmt.Appendf(nil, "blob %d\x00%s", len(*content), *content)
	if len(object) == 2*sha256.Size {
		return fmt.Sprintf("%x", sha256.Sum256(blob)) == object
	}
	return fmt.Sprintf("%x", sha1.Sum(blob)) == object
}

// noUser says of a name that no user has it. It spares the path of an address
// what would be more than a name there.
func noUser(name string) bool {
	return strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/\\?#%")
}

// whoami remembers whom the credentials belong to, once the forge said it.
type whoami struct {
	mu   sync.Mutex
	name string
}

func (w *whoami) login(ask func() (string, error)) (string, error) {
	w.mu.Lock()
	name := w.name
	w.mu.Unlock()
	if name != "" {
		return name, nil
	}
	name, err := ask()
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.name = name
	return name, nil
}
