package forge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Host is a forge that has pull requests. Its methods are safe for concurrent
// use; every error that is not mended by trying again wraps ErrTerminal.
type Host interface {
	Forge
	// PullRef is the ref of a pull request's head in the repository itself, also
	// when it comes from a fork: refs/pull/7/head.
	PullRef(number int) string
	// PullRequest reads one; an error that wraps ErrNotFound when there is none.
	PullRequest(ctx context.Context, number int) (PullRequest, error)
	// OpenPullRequests lists the open ones into a branch, oldest first.
	OpenPullRequests(ctx context.Context, branch string) ([]PullRequest, error)
	// MergedBy finds the merged pull request that brought a commit; ok is false
	// for a commit that none did.
	MergedBy(ctx context.Context, commit string) (pr PullRequest, ok bool, err error)
	// Approvals lists who approves the pull request as it is now, or was when it
	// was merged: reviews of an earlier head, and those that were taken back or
	// followed by a request for changes, are left out, and so is the author's own.
	Approvals(ctx context.Context, number int) ([]Approval, error)
	// PutComment makes the comment that bears the key read so: it is written when
	// there is none and changed in place when there is. Doing it again is harmless.
	PutComment(ctx context.Context, number int, key, body string) error
	// Comment reads one comment; an error that wraps ErrNotFound when it is gone.
	Comment(ctx context.Context, number int, id int64) (Comment, error)
	// Permission says what a user may do to the repository.
	Permission(ctx context.Context, user string) (Permission, error)
	// Propose opens a pull request that changes files, or returns the one that is
	// open from the proposal's branch already.
	Propose(ctx context.Context, p Proposal) (PullRequest, error)
}

// Annotator is a Host that shows remarks beside lines.
type Annotator interface {
	// Annotate shows the remarks on a pull request's commit. Doing it again is
	// harmless; lines that the forge cannot annotate are left out.
	Annotate(ctx context.Context, number int, commit string, remarks []Remark) error
}

// ErrNotFound says that the forge has no such pull request or comment. It wraps ErrTerminal.
var ErrNotFound = fmt.Errorf("not found: %w", ErrTerminal)

// ErrAccess says that the forge does not accept the credentials, or that they
// do not suffice. A person has to mend it: it is tried again, seldom.
var ErrAccess = errors.New("the forge refuses the credentials")

// PullRequest is one pull request (merge request at GitLab).
type PullRequest struct {
	Number      int
	URL         string // of its page
	Title       string
	Author      string // login
	Head        string // commit of its branch
	HeadBranch  string
	Branch      string // that it goes into
	Fork        bool   // its branch is in another repository
	Draft       bool
	Open        bool
	Merged      bool
	MergeCommit string // the commit that it became, once merged
	UpdatedAt   time.Time
}

// Approval is a person's approval of a pull request's head.
type Approval struct {
	User   string
	Commit string // that was approved, "" where the forge does not say
	At     time.Time
}

// Comment is one comment on a pull request.
type Comment struct {
	ID        int64
	Author    string // login
	Body      string
	URL       string
	UpdatedAt time.Time
}

// Permission is what somebody may do to a repository, rising.
type Permission int

// The permissions. Gitea knows no Maintain.
const (
	NoPermission Permission = iota
	Read
	Write
	Maintain
	Admin
)

// Proposal is a change of files, to be opened as a pull request.
type Proposal struct {
	Base    string             // branch that it goes into
	From    string             // commit that it is made from
	Branch  string             // new; a second proposal of the same branch finds the first
	Files   map[string]*string // by path; nil deletes the file
	Message string             // of the commit
	Title   string
	Body    string
}

// Remark is something to say about one line.
type Remark struct {
	Path string
	Line int // from 1 on
	Text string
}

// String names the permission as the settings do.
func (p Permission) String() string {
	names := [...]string{"none", "read", "write", "maintain", "admin"}
	if p < 0 || int(p) >= len(names) {
		return "unknown"
	}
	return names[p]
}
