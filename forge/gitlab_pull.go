package forge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// PullRequest reads one; an error that wraps ErrNotFound when there is none.
func (g *GitLab) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	m, err := g.mergeRequest(ctx, number)
	if err != nil {
		return PullRequest{}, err
	}
	return gitlabPull(m), nil
}

func (g *GitLab) mergeRequest(ctx context.Context, number int) (*gitlab.BasicMergeRequest, error) {
	m, _, err := g.api.MergeRequests.GetMergeRequest(g.project, int64(number), nil, gitlab.WithContext(ctx))
	if err != nil {
		return nil, g.failed(fmt.Sprintf("read merge request %d", number), err)
	}
	return &m.BasicMergeRequest, nil
}

// OpenPullRequests lists the open ones into a branch, oldest first.
func (g *GitLab) OpenPullRequests(ctx context.Context, branch string) ([]PullRequest, error) {
	return g.openInto(ctx, gitlab.ListProjectMergeRequestsOptions{TargetBranch: &branch})
}

// openInto lists the open merge requests that fit, oldest first.
func (g *GitLab) openInto(ctx context.Context, o gitlab.ListProjectMergeRequestsOptions) ([]PullRequest, error) {
	o.State, o.OrderBy, o.Sort = new("opened"), new("created_at"), new("asc")
	all, err := gitlabList(func(page gitlab.ListOptions) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		o.ListOptions = page
		return g.api.MergeRequests.ListProjectMergeRequests(g.project, &o, gitlab.WithContext(ctx))
	}, func(err error) error {
		return g.failed("list open merge requests", err)
	})
	if err != nil {
		return nil, err
	}
	var open []PullRequest
	for _, m := range all {
		open = append(open, gitlabPull(m))
	}
	return open, nil
}

// MergedBy finds the merged merge request that brought a commit: the one whose
// merge made it, or else the first that held it.
func (g *GitLab) MergedBy(ctx context.Context, commit string) (pr PullRequest, ok bool, err error) {
	all, _, err := g.api.Commits.ListMergeRequestsByCommit(g.project, commit, gitlab.WithContext(ctx))
	// Not found is also said of a project that is gone.
	if Said(err, http.StatusNotFound, "Commit Not Found") {
		return PullRequest{}, false, nil
	}
	if err != nil {
		return PullRequest{}, false, g.failed("find the merge request of "+commit, err)
	}
	var first *gitlab.BasicMergeRequest
	for _, m := range all {
		if m.State != "merged" {
			continue
		}
		if pr := gitlabPull(m); pr.MergeCommit == commit {
			return pr, true, nil
		}
		if first == nil || m.MergedAt != nil && first.MergedAt != nil && m.MergedAt.Before(*first.MergedAt) {
			first = m
		}
	}
	if first == nil {
		return PullRequest{}, false, nil
	}
	return gitlabPull(first), true, nil
}

// gitlabPull reads GitLab's form of a merge request, of which anything may be missing.
func gitlabPull(m *gitlab.BasicMergeRequest) PullRequest {
	pr := PullRequest{
		Number: int(m.IID), URL: m.WebURL, Title: m.Title,
		Head: m.SHA, HeadBranch: m.SourceBranch, Branch: m.TargetBranch,
		Fork: m.SourceProjectID != m.TargetProjectID, Draft: m.Draft,
		// Locked is the moment of merging.
		Open: m.State == "opened" || m.State == "locked", Merged: m.State == "merged",
		UpdatedAt: atOrZero(m.UpdatedAt),
	}
	if m.Author != nil {
		pr.Author = m.Author.Username
	}
	if pr.Merged {
		// A fast-forward makes no commit of its own.
		pr.MergeCommit = cmp.Or(m.MergeCommitSHA, m.SquashCommitSHA, m.SHA)
	}
	return pr
}

// atOrZero is a time that may be missing.
func atOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
