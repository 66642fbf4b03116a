package forge

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// GitLabHook reads the webhooks of GitLab.
type GitLabHook struct{}

var _ Hook = GitLabHook{}

// Verify compares X-Gitlab-Token with each secret. GitLab sends the secret
// itself: it proves who sends, not what is sent.
func (GitLabHook) Verify(header http.Header, _ []byte, secrets [][]byte) error {
	got, fits := sha256.Sum256([]byte(header.Get("X-Gitlab-Token"))), 0
	for _, secret := range secrets {
		want := sha256.Sum256(secret) // of one length, so that the time tells no length
		if len(secret) > 0 {
			fits |= subtle.ConstantTimeCompare(got[:], want[:])
		}
	}
	if fits != 1 {
		return ErrSignature
	}
	return nil
}

// gitlabPayload is what matters of all the payloads.
type gitlabPayload struct {
	Kind    string `json:"object_kind"`
	Ref     string `json:"ref"`
	After   string `json:"after"`
	Project struct {
		Path string `json:"path_with_namespace"`
	} `json:"project"`
	Attributes struct {
		ID           int64  `json:"id"`
		IID          int    `json:"iid"`
		Action       string `json:"action"`
		TargetBranch string `json:"target_branch"`
		Source       int64  `json:"source_project_id"`
		Target       int64  `json:"target_project_id"`

		On     string `json:"noteable_type"`
		Note   string `json:"note"`
		System bool   `json:"system"`
	} `json:"object_attributes"`
	MergeRequest struct {
		IID          int    `json:"iid"`
		TargetBranch string `json:"target_branch"`
		Source       int64  `json:"source_project_id"`
		Target       int64  `json:"target_project_id"`
	} `json:"merge_request"` // of a note
}

// Parse reads the event that the body names.
func (GitLabHook) Parse(header http.Header, body []byte) (Event, error) {
	return hookPayload(body, func(p gitlabPayload) (Event, error) {
		// The first is the same when a delivery is tried again; older servers have only the second.
		e := Event{Delivery: cmp.Or(header.Get("Idempotency-Key"), header.Get("X-Gitlab-Event-UUID")), Kind: EventOther, Repository: p.Project.Path}
		switch p.Kind {
		case "push", "tag_push":
			return pushed(e, p.Ref, p.After)
		case "merge_request":
			return p.merge(e)
		case "note":
			return p.noted(e)
		}
		return checkHook(e)
	})
}

func (p gitlabPayload) merge(e Event) (Event, error) {
	a := p.Attributes
	e.Kind, e.PullRequest, e.Branch, e.Fork = EventPullRequest, a.IID, a.TargetBranch, a.Source != a.Target
	switch a.Action {
	case "approved", "unapproved", "approval", "unapproval":
		e.Kind = EventReview
	}
	return checkHook(e)
}

func (p gitlabPayload) noted(e Event) (Event, error) {
	a := p.Attributes
	// Older servers tell of new notes only, and do not say so.
	if isNew := a.Action == "" || a.Action == "create"; isNew && a.On == "MergeRequest" && !a.System && isOrder(a.Note) {
		e.Kind, e.PullRequest, e.CommentID, e.Branch = EventComment, p.MergeRequest.IID, a.ID, p.MergeRequest.TargetBranch
		e.Fork = p.MergeRequest.Source != p.MergeRequest.Target
	}
	return checkHook(e)
}
