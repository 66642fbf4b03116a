package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// Annotate shows each remark as a thread on its line. A line that the diff does
// not add is left out, as GitLab cannot hold a thread there. Each remark bears a
// key of its own, so that being cut off in between says none twice.
func (g *GitLab) Annotate(ctx context.Context, number int, commit string, remarks []Remark) error {
	said, err := g.ownNotes(ctx, number)
	if err != nil {
		return err
	}
	heads, err := g.heads(ctx, number)
	if err != nil {
		return err
	}
	at := headOf(heads, commit)
	if at == nil {
		return nil // the merge request has gone on, and so will its check
	}
	for i, r := range remarks {
		key := remarkKey(commit, r)
		if i == maxRemarks {
			break
		}
		if r.Line < 1 || bears(said, key) {
			continue
		}
		if err := g.remark(ctx, number, at, key, r); err != nil {
			return err
		}
	}
	return nil
}

// headOf is the newest version of a merge request with a head, nil for none.
func headOf(heads []*gitlab.MergeRequestDiffVersion, commit string) *gitlab.MergeRequestDiffVersion {
	for _, v := range heads {
		if v.HeadCommitSHA == commit {
			return v
		}
	}
	return nil
}

func bears(notes []*gitlab.Note, key string) bool {
	for _, n := range notes {
		if hasMarker(n.Body, key) {
			return true
		}
	}
	return false
}

func (g *GitLab) remark(ctx context.Context, number int, at *gitlab.MergeRequestDiffVersion, key string, r Remark) error {
	_, _, err := g.api.Discussions.CreateMergeRequestDiscussion(g.project, int64(number), &gitlab.CreateMergeRequestDiscussionOptions{
		Body: new(withoutCommands(marked(key, r.Text))),
		Position: &gitlab.PositionOptions{
			PositionType: new("text"), BaseSHA: &at.BaseCommitSHA, StartSHA: &at.StartCommitSHA, HeadSHA: &at.HeadCommitSHA,
			OldPath: &r.Path, NewPath: &r.Path, NewLine: new(int64(r.Line)),
		},
	}, gitlab.WithContext(ctx))
	// The line is not one that the diff adds.
	if err == nil || statusOf(err) == http.StatusBadRequest {
		return nil
	}
	return g.failed(fmt.Sprintf("annotate %s of merge request %d", r.Path, number), err)
}

// remarkKey is the key of one remark. It is a hash: a path may hold anything.
func remarkKey(commit string, r Remark) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q", r.Path, r.Line, r.Text))
	return annotationKey(commit) + ":" + hex.EncodeToString(sum[:8])
}
