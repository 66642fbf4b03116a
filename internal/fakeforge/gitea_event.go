package fakeforge

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
)

func (g gitea) event(f *Forge, e Event) (http.Header, []byte) {
	repo := map[string]any{
		"id": userID(f.Repository), "name": f.name(), "full_name": f.Repository, "private": true, "owner": g.user(f.owner()),
		"html_url": f.URL + "/" + f.Repository, "clone_url": f.CloneURL, "default_branch": "main",
	}
	body := map[string]any{"repository": repo, "sender": g.user("alice")}
	name, kind := "push", "push"
	switch e.Kind {
	case PullChanged:
		name, kind = "pull_request", "pull_request"
		if e.Action == "synchronized" {
			kind = "pull_request_sync"
		}
		body["action"], body["number"] = e.Action, e.Number
		if e.Action == "" {
			body["action"] = "opened"
		}
		body["pull_request"], body["review"], body["commit_id"] = g.pullJSON(f, f.pulls[e.Number-1]), nil, ""
	case Commented:
		name, kind = "issue_comment", "pull_request_comment"
		p, c := f.findComment(e.Comment)
		body["action"], body["comment"], body["is_pull"] = "created", g.commentJSON(f, p, c), true
		body["issue"] = map[string]any{
			"number": p.Number, "title": p.Title, "user": g.user(p.Author), "state": "open",
			"pull_request": map[string]any{"merged": p.Merged, "merged_at": nil},
		}
		body["sender"] = g.user(c.Author)
	case Reviewed:
		p := f.pulls[e.Number-1]
		review := p.Reviews[len(p.Reviews)-1]
		word := map[Verdict]string{Approved: "approved", ChangesRequested: "rejected", Remarked: "comment"}[review.Verdict]
		name, kind = "pull_request_"+word, "pull_request_review_"+word
		body["action"], body["number"], body["pull_request"] = "reviewed", e.Number, g.pullJSON(f, p)
		body["review"] = map[string]any{"type": kind, "content": review.Body}
		body["sender"] = g.user(review.Author)
	default: // Gitea's test delivery is a push too
		body["ref"], body["before"], body["after"] = e.Ref, e.Before, e.After
		body["compare_url"], body["commits"], body["total_commits"], body["pusher"] = "", []any{}, 0, g.user("alice")
	}
	raw, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		f.t.Error(err)
	}
	h := http.Header{}
	id := fmt.Sprintf("10609c79-fcb1-4792-ab29-%012d", f.id())
	for _, brand := range []string{"X-Gitea", "X-Gogs", "X-GitHub"} {
		h.Set(brand+"-Delivery", id)
		h.Set(brand+"-Event", name)
		h.Set(brand+"-Event-Type", kind)
	}
	h.Set("User-Agent", "Go-http-client/1.1")
	return h, raw
}

func (gitea) sign(h http.Header, secret string, body []byte) {
	strong, weak := hmac.New(sha256.New, []byte(secret)), hmac.New(sha1.New, []byte(secret))
	strong.Write(body)
	weak.Write(body)
	sum := hex.EncodeToString(strong.Sum(nil))
	h.Set("X-Gitea-Signature", sum)
	h.Set("X-Gogs-Signature", sum)
	h.Set("X-Hub-Signature-256", "sha256="+sum)
	h.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(weak.Sum(nil)))
}
