package fakeforge

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func (g github) event(f *Forge, e Event) (http.Header, []byte) {
	repo := map[string]any{
		"id": userID(f.Repository), "name": f.name(), "full_name": f.Repository, "private": true,
		"owner": g.user(f.owner()), "html_url": f.URL + "/" + f.Repository, "clone_url": f.CloneURL, "default_branch": "main",
	}
	body := map[string]any{"repository": repo, "sender": g.user("alice")}
	name := ""
	switch e.Kind {
	case Pushed:
		name = "push"
		zero := strings.Repeat("0", 40)
		body["ref"], body["before"], body["after"] = e.Ref, e.Before, e.After
		body["created"], body["deleted"], body["forced"] = e.Before == zero, e.After == zero, false
		body["commits"], body["pusher"] = []any{}, map[string]any{"name": "alice", "email": "alice@example.com"}
	case PullChanged:
		name = "pull_request"
		body["action"], body["number"] = e.Action, e.Number
		if e.Action == "" {
			body["action"] = "opened"
		}
		body["pull_request"] = g.pullJSON(f, f.pulls[e.Number-1], true)
	case Commented:
		name = "issue_comment"
		p, c := f.findComment(e.Comment)
		body["action"], body["comment"] = "created", g.commentJSON(f, p, c)
		body["issue"] = map[string]any{
			"number": p.Number, "title": p.Title, "user": g.user(p.Author), "state": "open",
			"pull_request": map[string]any{"html_url": fmt.Sprintf("%s/%s/pull/%d", f.URL, f.Repository, p.Number)},
		}
		body["sender"] = g.user(c.Author)
	case Reviewed:
		name = "pull_request_review"
		p := f.pulls[e.Number-1]
		review := g.reviewJSON(p.Reviews[len(p.Reviews)-1])
		review["state"] = strings.ToLower(fmt.Sprint(review["state"]))
		body["action"], body["review"], body["pull_request"] = "submitted", review, g.pullJSON(f, p, false)
	default:
		name = "ping"
		body["zen"], body["hook_id"] = "Keep it logically awesome.", 1
	}
	raw, err := json.Marshal(body)
	if err != nil {
		f.t.Error(err)
	}
	h := http.Header{}
	h.Set("User-Agent", "GitHub-Hookshot/044aadd")
	h.Set("X-GitHub-Event", name)
	h.Set("X-GitHub-Delivery", fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012d", f.id()))
	h.Set("X-GitHub-Hook-ID", "1")
	return h, raw
}

func (github) sign(h http.Header, secret string, body []byte) {
	strong, weak := hmac.New(sha256.New, []byte(secret)), hmac.New(sha1.New, []byte(secret))
	strong.Write(body)
	weak.Write(body)
	h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(strong.Sum(nil)))
	h.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(weak.Sum(nil)))
}
