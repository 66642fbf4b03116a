package gitsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-billy/v5/osfs"
	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Mirror is a bare mirror of one branch of one repository. Its methods are safe for concurrent use within one
// process; two processes must not share a mirror.
type Mirror struct {
	id      string
	dir     string
	roots   []string
	branch  plumbing.ReferenceName
	remote  remoteURL
	auth    Auth
	limits  Limits
	policy  addressPolicy
	metrics Metrics
	http    *http.Transport

	fetching sync.Mutex                               // one fetch, repack or reset at a time
	pulls    map[plumbing.ReferenceName]plumbing.Hash // pull requests as they were fetched; under fetching
	mu       sync.RWMutex
	objects  *packStore // replaced as a whole when the mirror starts over
	refs     *filesystem.Storage
	filtered atomic.Bool // the server has left large files out, so a missing file is one of those

	queued      atomic.Pointer[map[string]string] // the merge queue
	repackError atomic.Pointer[error]
}

// Open checks the options and opens the mirror, or creates an empty one. It never touches the network. A mirror that
// is damaged, or that was made for another URL, branch or file size limit, is deleted and created anew. Errors wrap
// ErrOptions, ErrURL, or say what the disk said.
func Open(ctx context.Context, o Options) (_ *Mirror, err error) {
	defer contain(&err)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	roots, err := o.check()
	if err != nil {
		return nil, err
	}
	remote, err := parseURL(o)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", o.ID, err)
	}
	transport, err := newHTTPTransport(o)
	if err != nil {
		return nil, err
	}
	m := &Mirror{
		id: o.ID, dir: filepath.Join(o.Dir, o.ID+".git"), roots: roots, remote: remote, auth: splitUserinfo(o),
		pulls:  map[plumbing.ReferenceName]plumbing.Hash{},
		branch: plumbing.NewBranchReferenceName(o.Branch), limits: o.Limits.withDefaults(), http: transport,
		metrics: o.Metrics.withDefaults(),
		policy:  addressPolicy{allowLoopback: o.AllowLoopback, denyPrivate: o.DenyPrivateNetworks},
	}
	if ip, err := netip.ParseAddr(remote.host); err == nil {
		if err := m.policy.check(ip); err != nil {
			return nil, fmt.Errorf("source %s: %w: %w", o.ID, ErrURL, err)
		}
	}
	if err := m.open(); err == nil {
		return m, nil
	}
	if err := m.reset(); err != nil {
		return nil, m.wrap("open", err)
	}
	return m, nil
}

// Close releases the descriptors. Calls that are under way finish first; later ones get ErrClosed.
func (m *Mirror) Close() error {
	m.fetching.Lock()
	defer m.fetching.Unlock()
	m.http.CloseIdleConnections()
	return m.wrap("close", m.store().close())
}

// String names the source and shows its address without credentials.
func (m *Mirror) String() string { return m.id + " (" + m.remote.String() + ")" }

// Stats are figures of one mirror, for metrics.
type Stats struct {
	Packs       int
	Bytes       int64
	ObjectsRead int64 // since the mirror was opened or made anew
	// RepackError is the error of the last attempt to join packs, nil when it went well. It costs speed, not content.
	RepackError error
}

// Stats returns the mirror's present figures.
func (m *Mirror) Stats() Stats {
	s := m.store()
	out := Stats{Bytes: s.bytes(), ObjectsRead: s.reads.Load()}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out.Packs = len(s.packs)
	if err := m.repackError.Load(); err != nil {
		out.RepackError = *err
	}
	return out
}

// store returns the present object store.
func (m *Mirror) store() *packStore {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.objects
}

// origin is what a mirror was made from; a mirror made from something else is useless.
type origin struct {
	URL    string `json:"url"`
	Branch string `json:"branch"`
	// MaxBlobBytes decides which files a filtering server left out.
	MaxBlobBytes int64 `json:"maxBlobBytes"`
}

func (m *Mirror) origin() origin {
	return origin{URL: m.remote.String(), Branch: m.branch.Short(), MaxBlobBytes: m.limits.MaxBlobBytes}
}

// filterFile exists when the server was ever asked to leave large files out.
func (m *Mirror) filterFile() string { return filepath.Join(m.dir, "sluice-filtered") }

// noteFilter remembers, before the fact, that the mirror lacks large files.
func (m *Mirror) noteFilter() error {
	if m.filtered.Load() {
		return nil
	}
	if err := os.WriteFile(m.filterFile(), nil, 0o600); err != nil {
		return fmt.Errorf("write the mirror: %w", err)
	}
	m.filtered.Store(true)
	return nil
}

func (m *Mirror) originFile() string { return filepath.Join(m.dir, "sluice-origin.json") }

// open opens what is on disk. Every error means that the mirror must be made anew.
func (m *Mirror) open() error {
	b, err := os.ReadFile(m.originFile())
	if err != nil {
		return err
	}
	var was origin
	if err := json.Unmarshal(b, &was); err != nil {
		return err
	}
	if was != m.origin() {
		return errors.New("the mirror was made from another source")
	}
	objects, err := openPacks(filepath.Join(m.dir, "objects", "pack"), m.limits)
	if err != nil {
		return err
	}
	refs := filesystem.NewStorage(osfs.New(m.dir), cache.NewObjectLRU(0))
	if ref, err := refs.Reference(m.branch); err == nil && !objects.has(ref.Hash()) {
		return errors.Join(fmt.Errorf("%w: the branch's commit is missing", ErrCorrupt), objects.close())
	}
	_, err = os.Stat(m.filterFile())
	m.filtered.Store(err == nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects, m.refs = objects, refs
	return nil
}

// reset deletes the mirror and creates an empty one.
func (m *Mirror) reset() error {
	m.mu.RLock()
	old := m.objects
	m.mu.RUnlock()
	if old != nil {
		if err := old.close(); err != nil {
			return fmt.Errorf("close damaged mirror: %w", err)
		}
	}
	clear(m.pulls)
	if err := os.RemoveAll(m.dir); err != nil {
		return fmt.Errorf("delete mirror: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(m.dir, "objects", "pack"), 0o700); err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	refs := filesystem.NewStorage(osfs.New(m.dir), cache.NewObjectLRU(0))
	if _, err := git.InitWithOptions(refs, nil, git.InitOptions{DefaultBranch: m.branch}); err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	b, err := json.Marshal(m.origin())
	if err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	// Last: a mirror without it is taken for half made.
	if err := os.WriteFile(m.originFile(), b, 0o600); err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	return m.open()
}
