package forge

import (
	"context"
	"fmt"

	"code.gitea.io/sdk/gitea"
)

// maxRemarks bounds how many lines of one commit are annotated: a reader of
// more would not read them.
const maxRemarks = 50

// Annotate shows the remarks as one review of the commit. Remarks on files that
// the pull request does not change are left out. The review bears the commit's
// key, so that each commit gets one.
func (g *Gitea) Annotate(ctx context.Context, number int, commit string, remarks []Remark) error {
	done, err := g.annotated(ctx, number, commit)
	if err != nil || done {
		return err
	}
	changed, err := g.changedFiles(ctx, number)
	if err != nil {
		return err
	}
	var comments []gitea.CreatePullReviewComment
	for _, r := range remarks {
		if changed[r.Path] && r.Line > 0 && len(comments) < maxRemarks {
			comments = append(comments, gitea.CreatePullReviewComment{Path: r.Path, Body: r.Text, NewLineNum: int64(r.Line)})
		}
	}
	if len(comments) == 0 {
		return nil
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return err
	}
	_, _, err = api.CreatePullReview(g.owner, g.name, int64(number), gitea.CreatePullReviewOptions{
		State: gitea.ReviewStateComment, CommitID: commit, Body: marker(annotationKey(commit)), Comments: comments,
	})
	if err != nil {
		return g.failed(fmt.Sprintf("annotate %s of pull request %d", commit, number), err)
	}
	return nil
}

// annotated says whether a review of ours bears the commit's key.
func (g *Gitea) annotated(ctx context.Context, number int, commit string) (bool, error) {
	me, err := g.login(ctx)
	if err != nil {
		return false, err
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return false, err
	}
	reviews, err := giteaList(func(page gitea.ListOptions) ([]*gitea.PullReview, *gitea.Response, error) {
		return api.ListPullReviews(g.owner, g.name, int64(number), gitea.ListPullReviewsOptions{ListOptions: page})
	}, func(err error) error {
		return g.failed(fmt.Sprintf("list the reviews of pull request %d", number), err)
	})
	if err != nil {
		return false, err
	}
	for _, r := range reviews {
		if r.Reviewer != nil && r.Reviewer.UserName == me && hasMarker(r.Body, annotationKey(commit)) {
			return true, nil
		}
	}
	return false, nil
}

// changedFiles is the set of paths that a pull request changes.
func (g *Gitea) changedFiles(ctx context.Context, number int) (map[string]bool, error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return nil, err
	}
	files, err := giteaList(func(page gitea.ListOptions) ([]*gitea.ChangedFile, *gitea.Response, error) {
		return api.ListPullRequestFiles(g.owner, g.name, int64(number), gitea.ListPullRequestFilesOptions{ListOptions: page})
	}, func(err error) error {
		return g.failed(fmt.Sprintf("list the files of pull request %d", number), err)
	})
	if err != nil {
		return nil, err
	}
	changed := map[string]bool{}
	for _, f := range files {
		if f.Status != "deleted" {
			changed[f.Filename] = true
		}
	}
	return changed, nil
}

// annotationKey is the key of what was said beside the lines of one commit.
func annotationKey(commit string) string { return "remarks:" + commit }
