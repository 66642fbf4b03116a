package forge

import (
	"context"
	"fmt"
	"regexp"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// maxGitLabNote is what GitLab takes at most, in runes.
const maxGitLabNote = 1_000_000

// PutComment writes the comment that bears the key, or changes it in place.
// Only comments of the token's own user are Sluice's: a marker that somebody
// else pasted is text.
func (g *GitLab) PutComment(ctx context.Context, number int, key, body string) error {
	notes, err := g.ownNotes(ctx, number)
	if err != nil {
		return err
	}
	body = fitted(withoutCommands(marked(key, body)), maxGitLabNote)
	what := fmt.Sprintf("write comment %s on merge request %d", key, number)
	for _, n := range notes {
		if !hasMarker(n.Body, key) {
			continue
		}
		if n.Body == body {
			return nil
		}
		_, _, err := g.api.Notes.UpdateMergeRequestNote(g.project, int64(number), n.ID,
			&gitlab.UpdateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
		if err != nil {
			return g.failed(what, err)
		}
		return nil
	}
	_, _, err = g.api.Notes.CreateMergeRequestNote(g.project, int64(number),
		&gitlab.CreateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	if err != nil {
		return g.failed(what, err)
	}
	return nil
}

// ownNotes are the comments of the token's own user, oldest first.
func (g *GitLab) ownNotes(ctx context.Context, number int) ([]*gitlab.Note, error) {
	me, err := g.login(ctx)
	if err != nil {
		return nil, err
	}
	notes, err := gitlabList(func(page gitlab.ListOptions) ([]*gitlab.Note, *gitlab.Response, error) {
		return g.api.Notes.ListMergeRequestNotes(g.project, int64(number), &gitlab.ListMergeRequestNotesOptions{
			ListOptions: page, OrderBy: new("created_at"), Sort: new("asc"),
		}, gitlab.WithContext(ctx))
	}, func(err error) error {
		return g.failed(fmt.Sprintf("list the comments of merge request %d", number), err)
	})
	if err != nil {
		return nil, err
	}
	var own []*gitlab.Note
	for _, n := range notes {
		if !n.System && n.Author.Username == me {
			own = append(own, n)
		}
	}
	return own, nil
}

// Comment reads one comment; an error that wraps ErrNotFound when it is gone,
// or is GitLab's own record of something done.
func (g *GitLab) Comment(ctx context.Context, number int, id int64) (Comment, error) {
	what := fmt.Sprintf("read comment %d of merge request %d", id, number)
	n, _, err := g.api.Notes.GetMergeRequestNote(g.project, int64(number), id, gitlab.WithContext(ctx))
	if err != nil {
		return Comment{}, g.failed(what, err)
	}
	if n.System {
		return Comment{}, fmt.Errorf("gitlab: %s: %w", what, ErrNotFound)
	}
	return Comment{
		ID: n.ID, Author: n.Author.Username, Body: n.Body, UpdatedAt: atOrZero(n.UpdatedAt),
		URL: fmt.Sprintf("%s/-/merge_requests/%d#note_%d", g.url, number, n.ID),
	}, nil
}

// commands are lines that GitLab would carry out as the comment's author, such
// as /merge. What Sluice shows of a profile must not give it orders.
var commands = regexp.MustCompile(`(?m)^([ \t>]*)/`)

// withoutCommands puts a space of no width before each line's leading slash.
func withoutCommands(body string) string {
	return commands.ReplaceAllString(body, "${1}\u200b/")
}
