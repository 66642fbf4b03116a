package gitsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// maxHaves bounds how many commits we tell the remote that we have. They lie at growing distances behind the old head,
// so that a rewritten branch costs what is new and not the whole history.
const maxHaves = 16

// Head asks the remote which commit the branch is at; it fetches nothing. Errors wrap ErrBranchGone,
// ErrEmptyRepository, ErrAuth, ErrHostKey, ErrRepositoryNotFound, ErrRedirect, ErrBlockedAddress, ErrUnsupported,
// ErrRemote, or the context's error.
func (m *Mirror) Head(ctx context.Context) (sha string, err error) {
	defer func() { err = m.wrap("ask head of", err) }()
	defer contain(&err)
	ctx, cancel := context.WithTimeout(ctx, m.limits.HeadTimeout)
	defer cancel()
	c, err := m.connect(ctx)
	if err != nil {
		return "", err
	}
	_, head, err := m.refHead(ctx, c, m.branch)
	// What was read is complete by now; how the remote takes the end of the conversation changes nothing.
	if cerr := c.Close(); err != nil {
		return "", errors.Join(err, ctxError(ctx, cerr))
	}
	return head.String(), nil
}

// ctxError keeps a closing error only when it is the caller's own doing.
func ctxError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Fetch brings the branch into the mirror and returns its commit. A mirror that turns out to be damaged is deleted
// and fetched again once. Besides the errors of Head, errors wrap ErrLimit or ErrMalformed when the remote's pack was
// refused; the mirror then stays as it was.
func (m *Mirror) Fetch(ctx context.Context) (head string, err error) {
	defer func() { err = m.wrap("fetch", err) }()
	defer contain(&err)
	m.fetching.Lock()
	defer m.fetching.Unlock()
	began := time.Now()
	defer func() { m.metrics.Fetched(ctx, time.Since(began), err) }()
	ctx, cancel := context.WithTimeout(ctx, m.limits.FetchTimeout)
	defer cancel()

	h, err := m.freshly(ctx, func() (plumbing.Hash, error) { return m.fetch(ctx, m.branch) })
	if err != nil {
		return "", err
	}
	m.repack(ctx)
	return h.String(), nil
}

// repack joins small packs after a fetch. What was asked for is there: packs that could not be joined are joined after
// a later one.
func (m *Mirror) repack(ctx context.Context) {
	began := time.Now()
	joined, err := m.store().repack(ctx)
	m.repackError.Store(&err)
	if joined > 0 || err != nil {
		m.metrics.Repacked(time.Since(began), err)
	}
}

// freshly runs a fetch on a mirror that is sound, and again on an empty one when it turns out not to be.
func (m *Mirror) freshly(ctx context.Context, fetch func() (plumbing.Hash, error)) (plumbing.Hash, error) {
	if m.store().isClosed() {
		return plumbing.ZeroHash, ErrClosed
	}
	if m.store().damaged.Load() || m.store().bytes() > 2*m.limits.MaxPackBytes {
		// Too large means full of history that was rewritten: a fresh clone leaves it behind.
		if err := m.reset(); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	h, err := fetch()
	if errors.Is(err, ErrCorrupt) {
		if err := m.reset(); err != nil {
			return plumbing.ZeroHash, err
		}
		h, err = fetch()
	}
	return h, err
}

// fetch brings the commit that a ref of the remote is at. Only the branch's becomes the branch's head.
func (m *Mirror) fetch(ctx context.Context, ref plumbing.ReferenceName) (head plumbing.Hash, err error) {
	c, err := m.connect(ctx)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer func() {
		if cerr := c.Close(); err != nil {
			err = errors.Join(err, ctxError(ctx, cerr))
		}
	}()
	refs, head, err := m.refHead(ctx, c, ref)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if !m.store().has(head) {
		haves, err := m.haves(ctx)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		limit := m.limits.MaxPackBytes
		if ref != m.branch {
			limit = m.limits.MaxPullBytes
		}
		if err := m.bring(ctx, c, refs, head, append(haves, m.pulled(ref)...), limit); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if err := m.hasTree(ctx, head); err != nil {
		return plumbing.ZeroHash, err
	}
	if ref != m.branch {
		m.pulls[ref] = head
		return head, nil
	}
	return head, m.adopt(head)
}

// bring receives a pack of what head has and haves do not.
func (m *Mirror) bring(ctx context.Context, c *connection, refs *packp.AdvRefs, head plumbing.Hash, haves []plumbing.Hash, limit int64) error {
	stream, err := m.requestPack(ctx, c, refs, head, haves)
	if err != nil {
		return err
	}
	explain := func(err error) error { return m.remoteError(ctx, c, err) }
	err = m.store().receive(ctx, stream, limit, explain)
	if cerr := stream.Close(); err != nil {
		return errors.Join(err, ctxError(ctx, cerr))
	}
	return nil
}

// hasTree checks that a commit and its tree are there.
func (m *Mirror) hasTree(ctx context.Context, head plumbing.Hash) error {
	c, err := m.commit(ctx, head)
	if errors.Is(err, errMissing) || err == nil && !m.store().has(c.TreeHash) {
		return fmt.Errorf("%w: the pack does not hold the commit and its tree", ErrMalformed)
	}
	return err
}

// adopt makes the fetched commit the branch's head.
func (m *Mirror) adopt(head plumbing.Hash) error {
	if ref, err := m.refs.Reference(m.branch); err == nil && ref.Hash() == head {
		return nil
	}
	if err := m.refs.SetReference(plumbing.NewHashReference(m.branch, head)); err != nil {
		return fmt.Errorf("write the mirror: %w", err)
	}
	return nil
}

// haves lists commits that the mirror holds with everything behind them.
func (m *Mirror) haves(ctx context.Context) ([]plumbing.Hash, error) {
	ref, err := m.refs.Reference(m.branch)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the branch's reference does not read", ErrCorrupt)
	}
	var out []plumbing.Hash
	h := ref.Hash()
	for step, distance := 0, 1; len(out) < maxHaves; step++ {
		c, err := m.commit(ctx, h)
		if errors.Is(err, errMissing) {
			return nil, fmt.Errorf("%w: commit %s is missing", ErrCorrupt, h)
		}
		if err != nil {
			return nil, err
		}
		if step == 0 || step == distance {
			out = append(out, h)
			distance = max(1, step*2)
		}
		if len(c.ParentHashes) == 0 || step > 4096 {
			break
		}
		h = c.ParentHashes[0]
	}
	return out, nil
}
