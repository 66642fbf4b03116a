package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

// fetchLimit bounds the fetching of a snapshot, whatever its place does.
const fetchLimit = 10 * time.Second

// Bootstrap says where signed snapshots are, from which an instance starts when the server does
// not answer and nothing is kept in its state directory. It is for sessions that watch profiles by name.
type Bootstrap struct {
	// From is a directory, or a file://, http:// or https:// URL below which the files are; a query
	// is sent with each request. Empty is none. Where it is does not make a snapshot trusted.
	From string
	// Keys are the public keys that are trusted, as sluice snapshot key prints them: several while
	// the daemon's key is changed.
	Keys []string
	// MaxAge is the age at which a snapshot is refused; 7 days when 0.
	MaxAge time.Duration
	// HTTPClient fetches from http(s) URLs; nil is one that trusts the system's certificates.
	// Redirects are refused in either case.
	HTTPClient *http.Client
}

// bootstrap fetches snapshots and says whether they are to be taken.
type bootstrap struct {
	dir    string   // or
	base   *url.URL // files' names are put behind its path
	keys   []snapshot.PublicKey
	maxAge time.Duration
	http   *http.Client
}

// newBootstrap returns nil when there is no place. Its errors never repeat a URL: its query may be
// a secret.
func newBootstrap(o Bootstrap) (*bootstrap, error) {
	if o.From == "" {
		if len(o.Keys) > 0 {
			return nil, errors.New("bootstrap: keys are of no use without the place of the snapshots")
		}
		return nil, nil
	}
	keys, err := snapshot.ParsePublicKeys(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("bootstrap: no key is trusted: give the public key that sluice snapshot key printed")
	}
	if o.MaxAge < 0 {
		return nil, fmt.Errorf("bootstrap: a max age of %s takes no snapshot", o.MaxAge)
	}
	b := &bootstrap{keys: keys, maxAge: or(o.MaxAge, snapshot.DefaultMaxAge)}
	scheme, rest, isURL := strings.Cut(o.From, "://")
	switch {
	case !isURL:
		b.dir = o.From
		return b, nil
	case scheme == "file" && strings.HasPrefix(rest, "/"):
		b.dir = rest
		return b, nil
	}
	u, err := url.Parse(o.From)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("bootstrap: want a directory, file:///PATH, or an http or https URL")
	}
	b.base = u
	hc := http.Client{Transport: newTransport(nil)}
	if o.HTTPClient != nil {
		hc = *o.HTTPClient
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.http = &hc
	return b, nil
}

// snapshot returns a profile's snapshot when an instance of that description may run it.
func (b *bootstrap) snapshot(ctx context.Context, name, service, environment string, labels map[string]string) (snapshot.Snapshot, error) {
	file, err := b.fetch(ctx, snapshot.FileName(name))
	if err != nil {
		return snapshot.Snapshot{}, fmt.Errorf("snapshot of %s: %w", name, err)
	}
	s, err := snapshot.Verify(file, snapshot.Rules{Profile: name, Keys: b.keys, Now: time.Now(), MaxAge: b.maxAge})
	if err != nil {
		return s, err
	}
	return s, s.For(service, profile.Environment(environment), labels)
}

// fetch reads a file, at most one byte more than a snapshot may have. It does not wait for a place
// that does not even answer to a cancelled read, such as a network drive whose server is gone.
func (b *bootstrap) fetch(ctx context.Context, file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	type fetched struct {
		raw []byte
		err error
	}
	got := make(chan fetched, 1)
	go func() {
		var f fetched
		if b.base == nil {
			f.raw, f.err = readBounded(filepath.Join(b.dir, file))
		} else {
			f.raw, f.err = b.get(ctx, file)
		}
		got <- f
	}()
	select {
	case f := <-got:
		return f.raw, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("its place does not answer: %w", ctx.Err())
	}
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would keep us waiting
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, snapshot.MaxSize+1))
	return raw, errors.Join(err, f.Close())
}

func (b *bootstrap) get(ctx context.Context, file string) ([]byte, error) {
	u := *b.base
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/")+"/"+file, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, errors.New("its URL cannot be asked")
	}
	res, err := b.http.Do(req)
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // without the URL
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d for %s", u.Host, res.StatusCode, file)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, snapshot.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	return raw, nil
}
