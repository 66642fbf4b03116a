package forge

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// PutComment writes the comment that bears the key, or changes it in place.
// Only comments of the token's own user are Sluice's: a marker that somebody
// else pasted is text.
func (g *Gitea) PutComment(ctx context.Context, number int, key, body string) error {
	mine, err := g.commentOf(ctx, number, key)
	if err != nil {
		return err
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return err
	}
	body = marked(key, body)
	what := fmt.Sprintf("write comment %s on pull request %d", key, number)
	switch {
	case mine == nil:
		_, _, err := api.CreateIssueComment(g.owner, g.name, int64(number), gitea.CreateIssueCommentOption{Body: body})
		if err != nil {
			return g.failed(what, err)
		}
	case mine.Body != body:
		_, _, err := api.EditIssueComment(g.owner, g.name, mine.ID, gitea.EditIssueCommentOption{Body: body})
		if err != nil {
			return g.failed(what, err)
		}
	}
	return nil
}

// commentOf finds Sluice's own comment with a key, nil when there is none.
func (g *Gitea) commentOf(ctx context.Context, number int, key string) (*gitea.Comment, error) {
	me, err := g.login(ctx)
	if err != nil {
		return nil, err
	}
	api, err := g.sdk(ctx)
	if err != nil {
		return nil, err
	}
	comments, err := giteaList(func(page gitea.ListOptions) ([]*gitea.Comment, *gitea.Response, error) {
		return api.ListIssueComments(g.owner, g.name, int64(number), gitea.ListIssueCommentOptions{ListOptions: page})
	}, func(err error) error {
		return g.failed(fmt.Sprintf("list the comments of pull request %d", number), err)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range comments {
		if c.Poster != nil && c.Poster.UserName == me && hasMarker(c.Body, key) {
			return c, nil
		}
	}
	return nil, nil
}

// Comment reads one comment; an error that wraps ErrNotFound when it is gone or
// belongs to another pull request.
func (g *Gitea) Comment(ctx context.Context, number int, id int64) (Comment, error) {
	api, err := g.sdk(ctx)
	if err != nil {
		return Comment{}, err
	}
	what := fmt.Sprintf("read comment %d of pull request %d", id, number)
	c, answer, err := api.GetIssueComment(g.owner, g.name, id)
	// 204 answers for what is numbered like a comment and is none: a label set, a title changed.
	if answer != nil && answer.StatusCode == http.StatusNoContent {
		return Comment{}, fmt.Errorf("gitea: %s: %w", what, ErrNotFound)
	}
	if err != nil {
		return Comment{}, g.failed(what, err)
	}
	if !strings.HasSuffix(c.PRURL, "/"+strconv.Itoa(number)) {
		return Comment{}, fmt.Errorf("gitea: %s: it is on another: %w", what, ErrNotFound)
	}
	out := Comment{ID: c.ID, Body: c.Body, URL: c.HTMLURL, UpdatedAt: c.Updated.UTC()}
	if c.Poster != nil {
		out.Author = c.Poster.UserName
	}
	return out, nil
}
