package forge

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// Propose opens a merge request that changes files. It can be cut off between
// any two of its calls and goes on from there when it is asked again: the
// branch comes into being with its one commit.
func (g *GitLab) Propose(ctx context.Context, p Proposal) (PullRequest, error) {
	pr, ok, err := g.proposed(ctx, p)
	if err != nil || ok {
		return pr, err
	}
	actions, err := g.changes(ctx, p)
	if err != nil {
		return PullRequest{}, err
	}
	_, _, err = g.api.Branches.GetBranch(g.project, p.Branch, gitlab.WithContext(ctx))
	switch {
	case statusOf(err) == http.StatusNotFound:
		// Another replica may have made the branch a moment ago: it made the same.
		err := g.commitFiles(ctx, p, actions)
		if err != nil && !Said(err, http.StatusBadRequest, "A branch called") {
			return PullRequest{}, err
		}
	case err != nil:
		return PullRequest{}, g.failed("read branch "+p.Branch, err)
	}
	return g.openPull(ctx, p)
}

// proposed finds the open merge request of the proposal's branch.
func (g *GitLab) proposed(ctx context.Context, p Proposal) (PullRequest, bool, error) {
	open, err := g.openInto(ctx, gitlab.ListProjectMergeRequestsOptions{TargetBranch: &p.Base, SourceBranch: &p.Branch})
	if err != nil {
		return PullRequest{}, false, err
	}
	for _, pr := range open {
		if pr.HeadBranch == p.Branch && !pr.Fork {
			return pr, true, nil
		}
	}
	return PullRequest{}, false, nil
}

// changes are the files of a proposal that differ from what is there.
func (g *GitLab) changes(ctx context.Context, p Proposal) ([]*gitlab.CommitActionOptions, error) {
	var actions []*gitlab.CommitActionOptions
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		blob, err := g.blob(ctx, p.From, path)
		if err != nil {
			return nil, err
		}
		content := p.Files[path]
		change := &gitlab.CommitActionOptions{FilePath: &path, Action: new(gitlab.FileUpdate)}
		switch {
		case isBlob(blob, content):
			continue
		case content == nil:
			change.Action = new(gitlab.FileDelete)
		case blob == "":
			change.Action = new(gitlab.FileCreate)
		}
		if content != nil {
			change.Encoding = new("base64")
			change.Content = new(base64.StdEncoding.EncodeToString([]byte(*content)))
		}
		actions = append(actions, change)
	}
	if len(actions) == 0 {
		return nil, fmt.Errorf("gitlab: propose %s: %w: it changes nothing of %s", p.Branch, ErrTerminal, p.From)
	}
	return actions, nil
}

// commitFiles makes the branch with one commit of all files.
func (g *GitLab) commitFiles(ctx context.Context, p Proposal, actions []*gitlab.CommitActionOptions) error {
	_, _, err := g.api.Commits.CreateCommit(g.project, &gitlab.CreateCommitOptions{
		Branch: &p.Branch, StartSHA: &p.From, CommitMessage: &p.Message, Actions: actions,
	}, gitlab.WithContext(ctx))
	if err != nil {
		return g.failed(fmt.Sprintf("commit to branch %s from %s", p.Branch, p.From), err)
	}
	return nil
}

// blob is the object of a file at a commit, "" for no such file.
func (g *GitLab) blob(ctx context.Context, commit, path string) (string, error) {
	file, _, err := g.api.RepositoryFiles.GetFileMetaData(g.project, path,
		&gitlab.GetFileMetaDataOptions{Ref: &commit}, gitlab.WithContext(ctx))
	if statusOf(err) == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", g.failed(fmt.Sprintf("look for %s at %s", path, commit), err)
	}
	return file.BlobID, nil
}

func (g *GitLab) openPull(ctx context.Context, p Proposal) (PullRequest, error) {
	made, _, err := g.api.MergeRequests.CreateMergeRequest(g.project, &gitlab.CreateMergeRequestOptions{
		SourceBranch: &p.Branch, TargetBranch: &p.Base, Title: &p.Title, Description: new(withoutCommands(p.Body)),
	}, gitlab.WithContext(ctx))
	if err == nil {
		return gitlabPull(&made.BasicMergeRequest), nil
	}
	// Somebody else opened it a moment ago.
	if statusOf(err) == http.StatusConflict {
		if pr, ok, err := g.proposed(ctx, p); err != nil || ok {
			return pr, err
		}
	}
	return PullRequest{}, g.failed("open a merge request from "+p.Branch, err)
}
