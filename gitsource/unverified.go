package gitsource

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxSignedCommits bounds how many commits are checked at once: more than one sync walks, because a range that is too
// long to walk must still be signed.
const maxSignedCommits = 10_000

// Unverified is a commit whose signature does not count.
type Unverified struct {
	Commit string // SHA
	Reason string // continues "commit X ...": "is not signed"
}

// Unverified checks every commit that is reachable from to, by any parent, and from none of the trusted ones; with
// none of them, to alone. It returns those that no key of the keyring signed for their committer, parents first. Errors wrap
// ErrNotFetched when a commit is not in the mirror, ErrTooManyCommits, or ErrCorrupt.
func (m *Mirror) Unverified(ctx context.Context, trusted []string, to string, keys *Keyring) (_ []Unverified, err error) {
	defer func() { err = m.wrap("check signatures of", err) }()
	defer contain(&err)
	trusted = slices.DeleteFunc(slices.Clone(trusted), func(sha string) bool { return sha == "" })
	commits := []plumbing.Hash{plumbing.NewHash(to)}
	if _, err := m.commitBySHA(ctx, to); err != nil {
		return nil, err
	}
	if len(trusted) > 0 {
		if commits, err = m.between(ctx, trusted, to, maxSignedCommits); err != nil {
			return nil, err
		}
	}
	var out []Unverified
	for _, h := range commits {
		raw, err := m.store().get(ctx, plumbing.CommitObject, h)
		if errors.Is(err, errMissing) {
			return nil, fmt.Errorf("%w: %s", ErrNotFetched, h)
		}
		if err != nil {
			return nil, err
		}
		if why := keys.verify(raw); why != "" {
			out = append(out, Unverified{Commit: h.String(), Reason: why})
		}
	}
	return out, nil
}
