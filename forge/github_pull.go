package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v57/github"
)

// PostStatus sets one commit status.
func (g *GitHub) PostStatus(ctx context.Context, s Status) error {
	if err := s.Validate(); err != nil {
		return err
	}
	post := &github.RepoStatus{State: new(string(s.State)), Context: &s.Context, Description: &s.Description}
	if s.TargetURL != "" {
		post.TargetURL = &s.TargetURL
	}
	if _, _, err := g.client.Repositories.CreateStatus(ctx, g.owner, g.name, s.Commit, post); err != nil {
		return g.failed(fmt.Sprintf("post status %s of %s", s.Context, s.Commit), err)
	}
	return nil
}

// PullRef is the ref of a pull request's head.
func (g *GitHub) PullRef(number int) string { return fmt.Sprintf("refs/pull/%d/head", number) }

// PullRequest reads one; an error that wraps ErrNotFound when there is none.
func (g *GitHub) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	pr, err := g.pull(ctx, number)
	if err != nil {
		return PullRequest{}, err
	}
	return githubPull(pr), nil
}

func (g *GitHub) pull(ctx context.Context, number int) (*github.PullRequest, error) {
	pr, _, err := g.client.PullRequests.Get(ctx, g.owner, g.name, number)
	if err != nil {
		return nil, g.failed(fmt.Sprintf("read pull request %d", number), err)
	}
	return pr, nil
}

// OpenPullRequests lists the open ones into a branch, oldest first.
func (g *GitHub) OpenPullRequests(ctx context.Context, branch string) ([]PullRequest, error) {
	return g.openPulls(ctx, branch, "")
}

// openPulls lists the open ones into a branch, from a branch when that is given.
func (g *GitHub) openPulls(ctx context.Context, into, from string) ([]PullRequest, error) {
	list := &github.PullRequestListOptions{State: "open", Base: into, Sort: "created", Direction: "asc"}
	if from != "" {
		list.Head = g.owner + ":" + from
	}
	all, err := githubList(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		list.ListOptions = page
		return g.client.PullRequests.List(ctx, g.owner, g.name, list)
	})
	if err != nil {
		return nil, g.failed("list the pull requests into "+into, err)
	}
	var open []PullRequest
	for _, pr := range all {
		open = append(open, githubPull(pr))
	}
	return open, nil
}

// MergedBy finds the merged pull request that brought a commit: the one that
// became it where there are several, as when a branch was merged that others
// had been merged into.
func (g *GitHub) MergedBy(ctx context.Context, commit string) (PullRequest, bool, error) {
	all, err := githubList(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return g.client.PullRequests.ListPullRequestsWithCommit(ctx, g.owner, g.name, commit, &page)
	})
	if err != nil {
		return PullRequest{}, false, g.failed("find the pull request of "+commit, err)
	}
	var merged []PullRequest
	for _, pr := range all {
		if p := githubPull(pr); p.Merged {
			merged = append(merged, p)
		}
	}
	if len(merged) == 0 {
		return PullRequest{}, false, nil
	}
	if at := slices.IndexFunc(merged, func(p PullRequest) bool { return p.MergeCommit == commit }); at >= 0 {
		return merged[at], true, nil
	}
	return merged[0], true, nil
}

func githubPull(p *github.PullRequest) PullRequest {
	pr := PullRequest{
		Number: p.GetNumber(), URL: p.GetHTMLURL(), Title: p.GetTitle(), Author: p.GetUser().GetLogin(),
		Head: p.GetHead().GetSHA(), HeadBranch: p.GetHead().GetRef(), Branch: p.GetBase().GetRef(),
		// A fork that was deleted leaves no repository behind.
		Fork:  !strings.EqualFold(p.GetHead().GetRepo().GetFullName(), p.GetBase().GetRepo().GetFullName()),
		Draft: p.GetDraft(), Open: p.GetState() == "open", Merged: p.GetMerged() || p.MergedAt != nil,
		UpdatedAt: p.GetUpdatedAt().UTC(),
	}
	if pr.Merged { // of an open one it is a trial
		pr.MergeCommit = p.GetMergeCommitSHA()
	}
	return pr
}

// Permission says what a user may do to the repository; a user that GitHub does
// not know may nothing.
func (g *GitHub) Permission(ctx context.Context, user string) (Permission, error) {
	what := "read the permission of " + plain(user)
	if !githubLogin(user) {
		return NoPermission, nil
	}
	req, err := g.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/collaborators/%s/permission", g.owner, g.name, user), nil)
	if err != nil {
		return NoPermission, g.failed(what, err)
	}
	// The library's own type leaves out the role.
	var answer struct {
		Permission string `json:"permission"`
		Role       string `json:"role_name"`
	}
	if _, err := g.client.Do(ctx, req, &answer); err != nil {
		if Said(err, http.StatusNotFound, "") {
			return NoPermission, nil
		}
		return NoPermission, g.failed(what, err)
	}
	return githubPermission(answer.Permission, answer.Role), nil
}

// githubLogin says whether a name can be a user's: it becomes part of a path.
func githubLogin(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_[]") == ""
}

// githubPermission takes the old word where the role is one that an organisation
// made up: it tells the role that it is built on.
func githubPermission(old, role string) Permission {
	for _, word := range []string{role, old} {
		switch word {
		case "admin":
			return Admin
		case "maintain":
			return Maintain
		case "write", "push":
			return Write
		case "read", "triage", "pull":
			return Read
		case "none":
			return NoPermission
		}
	}
	return NoPermission
}
