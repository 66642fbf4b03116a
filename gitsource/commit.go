package gitsource

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Commit is one merged commit. Names and the message are valid UTF-8 without control characters (the message keeps
// its line breaks and tabs) and of bounded length, whatever the repository holds.
type Commit struct {
	SHA                           string
	Parents                       []string
	AuthorName, AuthorEmail       string
	CommitterName, CommitterEmail string
	AuthoredAt, CommittedAt       time.Time
	Message                       string
	// PullRequest is the number that the message names, 0 when it names none.
	PullRequest int
}

const (
	maxMessage = 16 << 10
	maxName    = 256
)

// commit reads and decodes a commit object, which is shared and must not be changed.
func (m *Mirror) commit(ctx context.Context, h plumbing.Hash) (*object.Commit, error) {
	s := m.store()
	if c, ok := s.decoded.commit(h); ok {
		return c, s.usable(ctx)
	}
	b, err := s.get(ctx, plumbing.CommitObject, h)
	if err != nil {
		return nil, err
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.CommitObject)
	if _, err := o.Write(b); err != nil {
		return nil, err
	}
	c, err := object.DecodeCommit(nil, o)
	if err != nil {
		return nil, fmt.Errorf("%w: commit %s does not decode", ErrMalformed, h)
	}
	s.decoded.keepCommit(c, len(b))
	return c, nil
}

// commitBySHA reads a commit that a caller names.
func (m *Mirror) commitBySHA(ctx context.Context, sha string) (*object.Commit, error) {
	if !plumbing.IsHash(sha) {
		return nil, fmt.Errorf("%w: not a commit id", ErrNotFetched)
	}
	c, err := m.commit(ctx, plumbing.NewHash(sha))
	if errors.Is(err, errMissing) {
		return nil, fmt.Errorf("%w: %s", ErrNotFetched, sha)
	}
	return c, err
}

func newCommit(c *object.Commit) Commit {
	out := Commit{
		SHA:         c.Hash.String(),
		AuthorName:  oneLine(c.Author.Name),
		AuthorEmail: oneLine(c.Author.Email), CommitterName: oneLine(c.Committer.Name),
		CommitterEmail: oneLine(c.Committer.Email),
		AuthoredAt:     c.Author.When.UTC(), CommittedAt: c.Committer.When.UTC(),
		Message:     cleanMessage(c.Message),
		PullRequest: pullRequest(c.Message),
	}
	for _, p := range c.ParentHashes {
		out.Parents = append(out.Parents, p.String())
	}
	return out
}

func oneLine(s string) string { return printable(strings.TrimSpace(s), maxName) }

func cleanMessage(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && len(s) > 0 {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || bidi(r):
			return '?'
		}
		return r
	}, strings.ToValidUTF8(strings.TrimRight(s, "\n"), "?"))
}

// bidi reports whether r reorders the text around it, so that a line reads otherwise than it is.
func bidi(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// pullRequests are the spellings of the forges, the surest first.
var pullRequests = []*regexp.Regexp{
	regexp.MustCompile(`^Merge pull request #(\d{1,9})\b`),                    // GitHub, merge commit
	regexp.MustCompile(`^Merge pull request '.*' \(#(\d{1,9})\)`),             // Gitea, Forgejo
	regexp.MustCompile(`^Merged PR (\d{1,9}):`),                               // Azure DevOps
	regexp.MustCompile(`(?m)^See merge request \S*!(\d{1,9})\s*$`),            // GitLab, merge commit
	regexp.MustCompile(`^[^\n]*\(pull request #(\d{1,9})\)[ \t]*(?:\r?\n|$)`), // Bitbucket
	regexp.MustCompile(`^[^\n]*\([#!](\d{1,9})\)[ \t]*(?:\r?\n|$)`),           // squash: "title (#12)", "title (!12)"
	regexp.MustCompile(`^[^\n]*(?:^|[\s/])!(\d{1,9})[ \t]*(?:\r?\n|$)`),       // GitLab: "title !12", "group/project!12"
}

// pullRequest returns the number of the pull or merge request that a commit message names, or 0.
func pullRequest(message string) int {
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	for _, re := range pullRequests {
		if m := re.FindStringSubmatch(message); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				return n
			}
		}
	}
	return 0
}
