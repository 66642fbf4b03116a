package forge

import (
	"net/http"
	"strings"
)

// GitHubHook reads the webhooks of GitHub and GitHub Enterprise.
type GitHubHook struct{}

var _ Hook = GitHubHook{}

// Verify checks X-Hub-Signature-256. That of SHA-1 beside it is never looked at.
func (GitHubHook) Verify(header http.Header, body []byte, secrets [][]byte) error {
	signature, found := strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	if !found {
		signature = ""
	}
	return signedBy(signature, body, secrets)
}

// hubPayload is what matters of all the payloads. Gitea's are like them.
type hubPayload struct {
	Action      string          `json:"action"`
	Ref         string          `json:"ref"`
	After       string          `json:"after"`
	Repository  hubRepository   `json:"repository"`
	PullRequest *hubPullRequest `json:"pull_request"`
	MergeGroup  struct {
		Base string `json:"base_ref"`
		Head string `json:"head_sha"`
	} `json:"merge_group"`
	Issue struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"` // the issue is one
	} `json:"issue"`
	Comment struct {
		ID   int64  `json:"id"`
		Body string `json:"body"`
	} `json:"comment"`
	IsPull bool `json:"is_pull"` // Gitea's word for it
}

type hubRepository struct {
	FullName string `json:"full_name"`
}

type hubPullRequest struct {
	Number int `json:"number"`
	Base   struct {
		Ref string `json:"ref"`
	} `json:"base"`
	Head struct {
		Repo *hubRepository `json:"repo"` // null once the fork is deleted
	} `json:"head"`
}

// Parse reads the event that X-GitHub-Event names.
func (GitHubHook) Parse(header http.Header, body []byte) (Event, error) {
	return hookPayload(body, func(p hubPayload) (Event, error) {
		e := Event{Delivery: header.Get("X-GitHub-Delivery"), Kind: EventOther, Repository: p.Repository.FullName}
		switch header.Get("X-GitHub-Event") {
		case "ping":
			e.Kind = EventPing
		case "push":
			return pushed(e, p.Ref, p.After)
		case "merge_group": // nothing is merged yet, and the branch's queue is to be looked at
			if p.Action == "checks_requested" {
				return pushed(e, p.MergeGroup.Base, p.MergeGroup.Head)
			}
		case "pull_request":
			if changesPullRequest(p.Action) {
				return p.about(EventPullRequest, e)
			}
		case "pull_request_review":
			return p.about(EventReview, e)
		case "issue_comment":
			return p.commented(e)
		}
		return checkHook(e)
	})
}

// changesPullRequest says whether an action changes what a check or a gate would
// say of a pull request. Labels, milestones and whoever is asked to look do not.
func changesPullRequest(action string) bool {
	switch action {
	case "opened", "reopened", "closed", "edited", "synchronize", "synchronized", "ready_for_review", "converted_to_draft":
		return true
	}
	return false
}

func (p hubPayload) about(kind EventKind, e Event) (Event, error) {
	e.Kind = kind
	if pr := p.PullRequest; pr != nil {
		e.PullRequest, e.Branch = pr.Number, pr.Base.Ref
		e.Fork = pr.Head.Repo == nil || !strings.EqualFold(pr.Head.Repo.FullName, p.Repository.FullName)
	}
	return checkHook(e)
}

// commented: only new comments on pull requests that give an order. One that is
// edited later into an order was not approved of by whoever read it.
func (p hubPayload) commented(e Event) (Event, error) {
	if p.Action == "created" && (p.Issue.PullRequest != nil || p.IsPull) && isOrder(p.Comment.Body) {
		e.Kind, e.PullRequest, e.CommentID = EventComment, p.Issue.Number, p.Comment.ID
	}
	return checkHook(e)
}
