package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-github/v57/github"
)

// Propose opens a pull request that changes files, or returns the one that is
// open from the branch already. A branch that an earlier try left is taken up
// when its commit is the proposal's; one with other work on it is left alone,
// and the error wraps ErrTerminal.
func (g *GitHub) Propose(ctx context.Context, p Proposal) (PullRequest, error) {
	what := "propose " + p.Branch
	if pr, ok, err := g.proposed(ctx, p); err != nil || ok {
		return pr, err
	}
	commit, err := g.proposedCommit(ctx, p)
	if err != nil {
		return PullRequest{}, g.failed(what, err)
	}
	if err := g.branchAt(ctx, p, commit); err != nil {
		return PullRequest{}, g.failed(what, err)
	}
	body := fitted(p.Body, maxGitHubComment)
	pr, _, err := g.client.PullRequests.Create(ctx, g.owner, g.name, &github.NewPullRequest{
		Title: new(cut(p.Title, 200)), Head: &p.Branch, Base: &p.Base, Body: &body,
	})
	if Said(err, http.StatusUnprocessableEntity, "already exists") {
		// Somebody was faster: another replica, or a try whose answer was lost.
		if pr, ok, err := g.proposed(ctx, p); err != nil || ok {
			return pr, err
		}
	}
	if err != nil {
		return PullRequest{}, g.failed(what, err)
	}
	return githubPull(pr), nil
}

// proposed finds what is open from the branch.
func (g *GitHub) proposed(ctx context.Context, p Proposal) (PullRequest, bool, error) {
	open, err := g.openPulls(ctx, p.Base, p.Branch)
	// GitHub ignores a filter that it does not understand.
	at := slices.IndexFunc(open, func(pr PullRequest) bool { return pr.HeadBranch == p.Branch && !pr.Fork })
	if err != nil || at < 0 {
		return PullRequest{}, false, err
	}
	return open[at], true, nil
}

// proposedCommit makes the commit of a proposal, which no branch names yet.
func (g *GitHub) proposedCommit(ctx context.Context, p Proposal) (*github.Commit, error) {
	from, _, err := g.client.Git.GetCommit(ctx, g.owner, g.name, p.From)
	if err != nil {
		return nil, err
	}
	tree, _, err := g.client.Git.CreateTree(ctx, g.owner, g.name, from.GetTree().GetSHA(), treeEntries(p.Files))
	if err != nil {
		return nil, err
	}
	if tree.GetSHA() == from.GetTree().GetSHA() {
		return nil, fmt.Errorf("%w: it changes nothing", ErrTerminal)
	}
	commit, _, err := g.client.Git.CreateCommit(ctx, g.owner, g.name, &github.Commit{
		Message: &p.Message, Tree: tree, Parents: []*github.Commit{{SHA: &p.From}},
	}, nil)
	return commit, err
}

// treeEntries are the changed files, by path. An entry without content deletes.
func treeEntries(files map[string]*string) []*github.TreeEntry {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	var entries []*github.TreeEntry
	for _, path := range paths {
		entries = append(entries, &github.TreeEntry{
			Path: &path, Mode: new("100644"), Type: new("blob"), Content: files[path],
		})
	}
	return entries
}

// branchAt makes the proposal's branch at a commit, or brings it there from an
// earlier try.
func (g *GitHub) branchAt(ctx context.Context, p Proposal, commit *github.Commit) error {
	ref := &github.Reference{Ref: new("refs/heads/" + p.Branch), Object: &github.GitObject{SHA: commit.SHA}}
	_, _, err := g.client.Git.CreateRef(ctx, g.owner, g.name, ref)
	if !Said(err, http.StatusUnprocessableEntity, "already exists") {
		return err
	}
	there, _, err := g.client.Git.GetRef(ctx, g.owner, g.name, ref.GetRef())
	if err != nil {
		return err
	}
	left, _, err := g.client.Git.GetCommit(ctx, g.owner, g.name, there.GetObject().GetSHA())
	if err != nil {
		return err
	}
	switch {
	case left.GetMessage() != commit.GetMessage() || len(left.Parents) != 1:
		return fmt.Errorf("%w: the branch %s exists and holds other work: delete or rename it", ErrTerminal, p.Branch)
	case left.GetTree().GetSHA() == commit.GetTree().GetSHA() && left.Parents[0].GetSHA() == p.From:
		return nil
	}
	_, _, err = g.client.Git.UpdateRef(ctx, g.owner, g.name, ref, true)
	if Said(err, http.StatusUnprocessableEntity, "does not exist") {
		return fmt.Errorf("the branch %s went away meanwhile", p.Branch) // worth another try
	}
	return err
}
