package gitsource

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Walk returns the commits that were merged after from up to to, oldest first, along the first parents: a merge is one
// commit, whatever it brought. With from == "" it returns to alone. Errors wrap ErrNotFetched when to is not in the
// mirror, ErrRewritten when from is not on to's first-parent line, and ErrTooManyCommits.
func (m *Mirror) Walk(ctx context.Context, from, to string) (_ []Commit, err error) {
	defer func() { err = m.wrap("walk", err) }()
	defer contain(&err)
	c, err := m.commitBySHA(ctx, to)
	if err != nil {
		return nil, err
	}
	if from == "" {
		return []Commit{newCommit(c)}, nil
	}
	if !plumbing.IsHash(from) || !m.store().has(plumbing.NewHash(from)) {
		return nil, fmt.Errorf("%w: %s is not in the mirror", ErrRewritten, printable(from, 64))
	}
	end := plumbing.NewHash(from)
	var out []Commit
	count := 0
	for c.Hash != end {
		// Past the limit the walk only looks for from: "too many" and "rewritten" ask for different answers.
		if count++; count <= m.limits.MaxCommitsPerSync {
			out = append(out, newCommit(c))
		}
		if len(c.ParentHashes) == 0 {
			return nil, fmt.Errorf("%w: %s is not among the first parents of %s", ErrRewritten, from, to)
		}
		if c, err = m.commitBySHA(ctx, c.ParentHashes[0].String()); err != nil {
			return nil, err
		}
	}
	if count > m.limits.MaxCommitsPerSync {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyCommits, count, m.limits.MaxCommitsPerSync)
	}
	slices.Reverse(out)
	return out, nil
}
