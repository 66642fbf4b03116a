package forge

import (
	"cmp"
	"net/http"
	"strings"
)

// GiteaHook reads the webhooks of Gitea and Forgejo, whose payloads are like
// GitHub's.
type GiteaHook struct{}

var _ Hook = GiteaHook{}

// Verify checks X-Gitea-Signature, or X-Hub-Signature-256 where there is none.
func (GiteaHook) Verify(header http.Header, body []byte, secrets [][]byte) error {
	signature := cmp.Or(header.Get("X-Gitea-Signature"), strings.TrimPrefix(header.Get("X-Hub-Signature-256"), "sha256="))
	return signedBy(signature, body, secrets)
}

// Parse reads the event that X-Gitea-Event names.
func (GiteaHook) Parse(header http.Header, body []byte) (Event, error) {
	return hookPayload(body, func(p hubPayload) (Event, error) {
		e := Event{Delivery: header.Get("X-Gitea-Delivery"), Kind: EventOther, Repository: p.Repository.FullName}
		switch header.Get("X-Gitea-Event") {
		case "push":
			return pushed(e, p.Ref, p.After)
		case "pull_request":
			if changesPullRequest(p.Action) {
				return p.about(EventPullRequest, e)
			}
		case "pull_request_approved", "pull_request_rejected":
			return p.about(EventReview, e)
		case "issue_comment", "pull_request_comment":
			if p.Comment.ID == 0 && p.PullRequest != nil { // a review that neither approves nor rejects
				return p.about(EventReview, e)
			}
			return p.commented(e)
		}
		return checkHook(e)
	})
}
