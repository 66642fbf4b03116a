package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// EventKind is what a webhook tells of.
type EventKind string

// The kinds of events.
const (
	EventPush        EventKind = "push"
	EventPullRequest EventKind = "pull_request" // it was opened, changed or closed
	EventReview      EventKind = "review"       // somebody approved it, or took that back
	EventComment     EventKind = "comment"      // somebody wrote an order into it
	EventPing        EventKind = "ping"
	EventOther       EventKind = "other" // nothing that matters here
)

// Event is one webhook, as far as it matters. It only says where to look: what is
// true is asked of the repository and of the forge.
type Event struct {
	Delivery    string // the forge's id of it, the same when it is sent again
	Kind        EventKind
	Repository  string // owner/name
	Branch      string // that was pushed to, or that the pull request goes into; "" for a tag
	Deleted     bool   // the branch or tag is gone
	PullRequest int
	CommentID   int64
	Fork        bool // the pull request comes from another repository
}

// Hook reads the webhooks of one kind of forge. Its methods are safe for
// concurrent use and keep nothing of what they read.
type Hook interface {
	// Verify says whether one of the secrets signed the body, in a time that does
	// not depend on which. Its error wraps ErrSignature and is the same whatever
	// is wrong.
	Verify(header http.Header, body []byte, secrets [][]byte) error
	// Parse reads a body that was verified. Its error wraps ErrPayload and repeats
	// nothing of the body.
	Parse(header http.Header, body []byte) (Event, error)
}

// ErrSignature says that none of the secrets signed a webhook.
var ErrSignature = errors.New("the webhook is not signed with a known secret")

// ErrPayload says that a webhook is not what such a forge sends.
var ErrPayload = errors.New("the webhook cannot be read")

// hookPayload turns a body into what T knows of it, and a panic on the way into
// an error: the body comes from outside.
func hookPayload[T any](body []byte, read func(T) (Event, error)) (e Event, err error) {
	defer func() {
		if recover() != nil {
			e, err = Event{}, fmt.Errorf("%w: reading it panicked", ErrPayload)
		}
	}()
	var payload T
	if json.Unmarshal(body, &payload) != nil { // whose error may repeat the body
		return Event{}, fmt.Errorf("%w: it is not the JSON that belongs to its event", ErrPayload)
	}
	return read(payload)
}

// checkHook refuses an event that names nothing to look at.
func checkHook(e Event) (Event, error) {
	missing := ""
	switch {
	case e.Kind == EventPing || e.Kind == EventOther:
	case e.Repository == "":
		missing = "repository"
	case e.Kind != EventPush && (e.PullRequest <= 0 || e.PullRequest > math.MaxInt32):
		missing = "pull request"
	case e.Kind == EventComment && e.CommentID <= 0:
		missing = "comment"
	}
	if missing != "" {
		return Event{}, fmt.Errorf("%w: it names no %s", ErrPayload, missing)
	}
	return e, nil
}

// pushed reads the ref of a push.
func pushed(e Event, ref, after string) (Event, error) {
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if isBranch {
		e.Branch = branch
	} else if !strings.HasPrefix(ref, "refs/") {
		return Event{}, fmt.Errorf("%w: it names no ref", ErrPayload)
	}
	if after == "" {
		return Event{}, fmt.Errorf("%w: it names no commit", ErrPayload)
	}
	e.Kind, e.Deleted = EventPush, strings.Trim(after, "0") == ""
	return checkHook(e)
}

// isOrder says whether a comment has a line that begins with /sluice: no other
// comment is anything to Sluice.
func isOrder(body string) bool {
	for line := range strings.Lines(body) {
		if rest, found := strings.CutPrefix(line, "/sluice"); found && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n")) {
			return true
		}
	}
	return false
}

// signedBy says whether any of the secrets made a hexadecimal HMAC-SHA-256 of
// the body. It tries them all.
func signedBy(signature string, body []byte, secrets [][]byte) error {
	got, err := hex.DecodeString(signature)
	if err != nil {
		got = nil
	}
	fits := 0
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		if len(secret) > 0 { // whom nobody gave a secret, nobody speaks for
			fits |= subtle.ConstantTimeCompare(got, mac.Sum(nil))
		}
	}
	if fits != 1 {
		return ErrSignature
	}
	return nil
}
