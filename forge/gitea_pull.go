package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"code.gitea.io/sdk/gitea"
)

// giteaPage is how many of a list are asked for at once; servers give 50 at most.
const giteaPage = 50

// PullRequest reads one; an error that wraps ErrNotFound when there is none.
func (g *Gitea) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	pr, _, err := g.pull(ctx, number)
	return pr, err
}

// pull reads a pull request and when it was merged.
func (g *Gitea) pull(ctx context.Context, number int) (pr PullRequest, merged time.Time, err error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return PullRequest{}, time.Time{}, err
	}
	p, _, err := api.GetPullRequest(g.owner, g.name, int64(number))
	if err != nil {
		return PullRequest{}, time.Time{}, g.failed(fmt.Sprintf("read pull request %d", number), err)
	}
	if p.Merged != nil {
		merged = *p.Merged
	}
	pr, err = g.atItsHead(api, giteaPull(p))
	return pr, merged, err
}

// atItsHead corrects the head of a merged pull request: Gitea answers with
// where the branch is now, which may have gone on since.
func (g *Gitea) atItsHead(api *gitea.Client, pr PullRequest) (PullRequest, error) {
	if !pr.Merged {
		return pr, nil
	}
	ref, _, err := api.GetRepoRef(g.owner, g.name, fmt.Sprintf("pull/%d/head", pr.Number))
	if errors.Is(err, ErrNotFound) {
		return pr, nil
	}
	if err != nil {
		return PullRequest{}, g.failed(fmt.Sprintf("read the head of pull request %d", pr.Number), err)
	}
	if ref.Object != nil {
		pr.Head = ref.Object.SHA
	}
	return pr, nil
}

// OpenPullRequests lists the open ones into a branch, oldest first.
func (g *Gitea) OpenPullRequests(ctx context.Context, branch string) ([]PullRequest, error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return nil, err
	}
	all, err := giteaList(func(page gitea.ListOptions) ([]*gitea.PullRequest, *gitea.Response, error) {
		return api.ListRepoPullRequests(g.owner, g.name, gitea.ListPullRequestsOptions{
			ListOptions: page, State: gitea.StateOpen, Sort: "oldest",
		})
	}, func(err error) error {
		return g.failed("list open pull requests", err)
	})
	if err != nil {
		return nil, err
	}
	var into []PullRequest
	for _, p := range all {
		if pr := giteaPull(p); pr.Branch == branch {
			into = append(into, pr)
		}
	}
	return into, nil
}

// giteaList reads a list to its end. Which of the two headers that tell the
// end is there depends on the list.
func giteaList[T any](read func(gitea.ListOptions) ([]T, *gitea.Response, error), failed func(error) error) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; page++ {
		some, answer, err := read(gitea.ListOptions{Page: page, PageSize: giteaPage})
		if err != nil {
			return nil, failed(err)
		}
		all = append(all, some...)
		total, err := strconv.Atoi(answer.Header.Get("X-Total-Count"))
		if len(some) == 0 || (err == nil && len(all) >= total) || (err != nil && answer.NextPage == 0) {
			return all, nil
		}
	}
	return nil, failed(fmt.Errorf("%w: more than %d pages", ErrTerminal, maxPages))
}

// MergedBy finds the merged pull request that brought a commit: of a rebased
// one, Gitea knows the last commit only.
func (g *Gitea) MergedBy(ctx context.Context, commit string) (pr PullRequest, ok bool, err error) {
	var p gitea.PullRequest
	err = g.call(ctx, http.MethodGet, "/commits/"+url.PathEscape(commit)+"/pull", nil, &p)
	// Not found is also said of a repository that is gone, and of an address that an old server does not have.
	if Said(err, http.StatusNotFound, "pull request does not exist") {
		return PullRequest{}, false, nil
	}
	if err != nil {
		return PullRequest{}, false, g.failed("find the pull request of "+commit, err)
	}
	if pr = giteaPull(&p); !pr.Merged {
		return PullRequest{}, false, nil
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return PullRequest{}, false, err
	}
	pr, err = g.atItsHead(api, pr)
	return pr, err == nil, err
}

// giteaPull reads Gitea's form of a pull request, of which anything may be missing.
func giteaPull(p *gitea.PullRequest) PullRequest {
	pr := PullRequest{
		Number: int(p.Index), URL: p.HTMLURL, Title: p.Title,
		Draft: p.Draft, Open: p.State == gitea.StateOpen, Merged: p.HasMerged,
	}
	if p.Poster != nil {
		pr.Author = p.Poster.UserName
	}
	if p.Base != nil {
		pr.Branch = p.Base.Ref
	}
	if p.Head != nil {
		pr.Head, pr.HeadBranch = p.Head.Sha, p.Head.Name
		// A fork that is gone since has the number -1.
		pr.Fork = p.Base == nil || p.Head.RepoID != p.Base.RepoID
	}
	if p.HasMerged && p.MergedCommitID != nil {
		pr.MergeCommit = *p.MergedCommitID
	}
	if p.Updated != nil {
		pr.UpdatedAt = p.Updated.UTC()
	}
	return pr
}
