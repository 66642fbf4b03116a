package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// maxAdvertisedBytes bounds the list of refs that a remote sends before anything else.
const maxAdvertisedBytes = 32 << 20

// connection is one conversation with a remote.
type connection struct {
	transport.UploadPackSession
	watch  *watch
	redact func(string) string
}

// watch notes why a connection failed, where the libraries between would turn the reason into text.
type watch struct {
	mu    sync.Mutex
	cause error
}

func (w *watch) note(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		w.cause = err
	}
	return err
}

func (w *watch) noted() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// connect opens a conversation by the transport that the URL asks for.
func (m *Mirror) connect(ctx context.Context) (*connection, error) {
	switch m.remote.scheme {
	case "ssh":
		return m.connectSSH(ctx)
	case "file":
		return m.connectLocal()
	default:
		return m.connectHTTP(ctx)
	}
}

// refHead asks the remote for its refs and returns the commit that one of them is at.
func (m *Mirror) refHead(ctx context.Context, c *connection, ref plumbing.ReferenceName) (*packp.AdvRefs, plumbing.Hash, error) {
	refs, err := c.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, plumbing.ZeroHash, m.remoteError(ctx, c, err)
	}
	if refs.Capabilities.Supports(capability.ObjectFormat) {
		if f := refs.Capabilities.Get(capability.ObjectFormat); len(f) > 0 && f[0] != "sha1" {
			return nil, plumbing.ZeroHash, fmt.Errorf("%w: its object format is not SHA-1", ErrUnsupported)
		}
	}
	if len(refs.Shallows) > 0 {
		return nil, plumbing.ZeroHash, fmt.Errorf("%w: it is a shallow clone", ErrUnsupported)
	}
	m.noteQueue(refs.References)
	head, ok := refs.References[ref.String()]
	switch {
	case ok:
		return refs, head, nil
	case len(refs.References) == 0:
		return nil, plumbing.ZeroHash, ErrEmptyRepository
	case ref != m.branch:
		return nil, plumbing.ZeroHash, fmt.Errorf("%w: %s", ErrRefGone, ref)
	}
	return nil, plumbing.ZeroHash, fmt.Errorf("%w: %s", ErrBranchGone, m.branch.Short())
}

// requestPack asks for everything that want has and haves do not, and returns the pack as a stream.
func (m *Mirror) requestPack(ctx context.Context, c *connection, refs *packp.AdvRefs, want plumbing.Hash, haves []plumbing.Hash) (io.ReadCloser, error) {
	req := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	req.Wants = []plumbing.Hash{want}
	req.Haves = haves
	wanted := []capability.Capability{capability.NoProgress}
	if refs.Capabilities.Supports(capability.Filter) {
		// One byte more than we read: what is left out is exactly what Read would refuse.
		req.Filter = packp.FilterBlobLimit(uint64(m.limits.MaxBlobBytes)+1, packp.BlobLimitPrefixNone)
		wanted = append(wanted, capability.Filter)
		if err := m.noteFilter(); err != nil {
			return nil, err
		}
	}
	for _, w := range wanted {
		if refs.Capabilities.Supports(w) {
			if err := req.Capabilities.Set(w); err != nil {
				return nil, err
			}
		}
	}
	resp, err := c.UploadPack(ctx, req)
	if err != nil {
		return nil, m.remoteError(ctx, c, err)
	}
	var r io.Reader = resp
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		r = sideband.NewDemuxer(sideband.Sideband64k, resp)
	case req.Capabilities.Supports(capability.Sideband):
		r = sideband.NewDemuxer(sideband.Sideband, resp)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, resp}, nil
}

// remoteError turns whatever a library says about a remote into a typed error without secrets. The original error is
// not wrapped: it may hold the URL, the credentials or bytes of the remote's choosing.
func (m *Mirror) remoteError(ctx context.Context, c *connection, err error) error {
	if cause := c.watch.noted(); cause != nil && ctx.Err() == nil {
		return cause
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrRemote, context.Cause(ctx))
	}
	for _, k := range []struct{ is, kind error }{
		{transport.ErrEmptyRemoteRepository, ErrEmptyRepository},
		{transport.ErrRepositoryNotFound, ErrRepositoryNotFound},
		{transport.ErrAuthenticationRequired, ErrAuth},
		{transport.ErrAuthorizationFailed, ErrAuth},
		{ErrBlockedAddress, ErrBlockedAddress},
		{ErrHostKey, ErrHostKey},
		{ErrLimit, ErrLimit},
	} {
		if errors.Is(err, k.is) {
			return k.kind
		}
	}
	return fmt.Errorf("%w: %s", ErrRemote, printable(c.redact(err.Error()), 200))
}

// printable makes text from a remote safe for one line of a log: no control or invisible characters, bounded.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "..."
	}
	return s
}
