package forge

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v57/github"
)

// maxGitHubComment is what GitHub takes at most, in runes.
const maxGitHubComment = 65536

// PutComment writes the comment that bears the key, or changes it in place. Only
// Sluice's own comments are looked at: a marker that somebody else pasted is text.
func (g *GitHub) PutComment(ctx context.Context, number int, key, body string) error {
	body = fitted(marked(key, body), maxGitHubComment)
	what := fmt.Sprintf("write comment %s on pull request %d", key, number)
	mine, err := g.commentOf(ctx, number, key)
	switch {
	case err != nil:
		return err
	case mine == nil:
		_, _, err = g.client.Issues.CreateComment(ctx, g.owner, g.name, number, &github.IssueComment{Body: &body})
	case mine.GetBody() != body:
		_, _, err = g.client.Issues.EditComment(ctx, g.owner, g.name, mine.GetID(), &github.IssueComment{Body: &body})
	}
	if err != nil {
		return g.failed(what, err)
	}
	return nil
}

// fitted is a body of at most so many runes, that says so when it was longer.
func fitted(body string, runes int) string {
	if utf8.RuneCountInString(body) <= runes {
		return body
	}
	const end = "\n\n_The rest is longer than a comment may be._\n"
	return string([]rune(body)[:runes-utf8.RuneCountInString(end)]) + end
}

// commentOf finds Sluice's own comment with a key, the oldest; nil when there is none.
func (g *GitHub) commentOf(ctx context.Context, number int, key string) (*github.IssueComment, error) {
	me, err := g.login(ctx)
	if err != nil {
		return nil, err
	}
	list := &github.IssueListCommentsOptions{}
	comments, err := githubList(func(page github.ListOptions) ([]*github.IssueComment, *github.Response, error) {
		list.ListOptions = page
		return g.client.Issues.ListComments(ctx, g.owner, g.name, number, list)
	})
	if err != nil {
		return nil, g.failed(fmt.Sprintf("list the comments of pull request %d", number), err)
	}
	for _, c := range comments {
		if strings.EqualFold(c.GetUser().GetLogin(), me) && hasMarker(c.GetBody(), key) {
			return c, nil
		}
	}
	return nil, nil
}

// Comment reads one comment; an error that wraps ErrNotFound when it is gone or
// belongs to another pull request.
func (g *GitHub) Comment(ctx context.Context, number int, id int64) (Comment, error) {
	what := fmt.Sprintf("read comment %d of pull request %d", id, number)
	c, _, err := g.client.Issues.GetComment(ctx, g.owner, g.name, id)
	if err != nil {
		return Comment{}, g.failed(what, err)
	}
	if !strings.HasSuffix(c.GetIssueURL(), fmt.Sprintf("/issues/%d", number)) {
		return Comment{}, fmt.Errorf("github: %s: it is on another: %w", what, ErrNotFound)
	}
	return Comment{
		ID: c.GetID(), Author: c.GetUser().GetLogin(), Body: c.GetBody(), URL: c.GetHTMLURL(), UpdatedAt: c.GetUpdatedAt().UTC(),
	}, nil
}
