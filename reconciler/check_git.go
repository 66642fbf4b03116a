package reconciler

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/gitsource"
)

// PullGit is what checks need of a source's mirror beside Git.
type PullGit interface {
	// FetchRef brings the ref of a pull request's head and returns its commit.
	FetchRef(ctx context.Context, ref string) (sha string, err error)
	// Queued returns the refs of the branch's merge queue with their commits.
	Queued() map[string]string
	// Merge merges commit from into commit into without writing anything.
	Merge(ctx context.Context, into, from string) (Merge, error)
}

// Merge is the result of a merge that nobody made.
type Merge struct {
	Conflicts []string // paths that both sides changed
	Tree      MergedTree
}

// MergedTree reads the result of a merge as Git reads a commit.
type MergedTree interface {
	// Changes lists the source's files that differ from the commit merged into.
	Changes(ctx context.Context) ([]gitsource.Change, error)
	// List lists the source's files.
	List(ctx context.Context) ([]gitsource.Entry, error)
	// Read reads one file.
	Read(ctx context.Context, path string) ([]byte, error)
}

// PullsOf lets a mirror be a PullGit.
func PullsOf(m *gitsource.Mirror) PullGit { return mirrorPulls{m} }

type mirrorPulls struct{ *gitsource.Mirror }

// Merge merges as the mirror does.
func (p mirrorPulls) Merge(ctx context.Context, into, from string) (Merge, error) {
	m, err := p.Mirror.Merge(ctx, into, from)
	if err != nil {
		return Merge{}, err
	}
	return Merge{Conflicts: m.Conflicts, Tree: m}, nil
}

// mergedGit is Git with one commit more: the merge of head into base, which goes
// by head's name.
type mergedGit struct {
	Git
	base, head string
	tree       MergedTree
}

// Changes lists what the merge changes of its base.
func (g mergedGit) Changes(ctx context.Context, from, to string) ([]gitsource.Change, error) {
	if from != g.base || to != g.head {
		return nil, fmt.Errorf("changes from %s to %s: only those of the merge are known", from, to)
	}
	return g.tree.Changes(ctx)
}

// List lists the files of the merge.
func (g mergedGit) List(ctx context.Context, commit string) ([]gitsource.Entry, error) {
	if commit != g.head {
		return g.Git.List(ctx, commit)
	}
	return g.tree.List(ctx)
}

// Read reads one file of the merge, or of a commit that is there.
func (g mergedGit) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if commit != g.head {
		return g.Git.Read(ctx, commit, path)
	}
	return g.tree.Read(ctx, path)
}
