// Package forge speaks with the places where pull requests and commit
// statuses live: one file per forge.
package forge

import (
	"context"
	"errors"
)

// State is the state of a commit status, as all forges know it.
type State string

// The states of a commit status.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure"
	Error   State = "error"
)

// Status is one commit status to post.
type Status struct {
	Commit      string // SHA
	Context     string
	State       State
	Description string // at most 140 runes
	TargetURL   string // "" for none
}

// ErrTerminal marks a refusal that no retry mends: the commit is gone, or it
// has too many statuses.
var ErrTerminal = errors.New("the forge refuses for good")

// Forge posts to one repository.
type Forge interface {
	// PostStatus sets one commit status. Posting the same again is harmless.
	PostStatus(ctx context.Context, s Status) error
}
