package secrets

import (
	"errors"
	"fmt"
)

// ErrAway is wrapped by an error that may pass by itself: who keeps the secret
// does not answer.
var ErrAway = errors.New("does not answer")

// Error is a secret that cannot be given or opened, without anything of it. It
// may be shown to whoever may see the profile.
type Error struct {
	Path   string // $.db.password
	Reason string // "vault: permission denied"
	Away   bool   // nothing is wrong with it: later it may open
}

// Error names the place and the reason.
func (e *Error) Error() string { return e.Path + ": " + e.Reason }

// Unwrap is ErrAway for what may pass.
func (e *Error) Unwrap() error {
	if e.Away {
		return ErrAway
	}
	return nil
}

// at makes an Error of what a part said. Its text is the part's own: no library's
// and no server's, which may repeat what they were sent.
func at(path, who string, err error) error {
	return &Error{Path: path, Reason: fmt.Sprintf("%s: %s", who, err), Away: errors.Is(err, ErrAway)}
}

// away is an error that may pass by itself, with its own text.
type away string

// Error is the text.
func (a away) Error() string { return string(a) }

// Unwrap makes it an ErrAway.
func (a away) Unwrap() error { return ErrAway }
