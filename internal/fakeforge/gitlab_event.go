package fakeforge

import (
	"encoding/json"
	"fmt"
	"net/http"
)

func (g gitlab) event(f *Forge, e Event) (http.Header, []byte) {
	body := map[string]any{"project": map[string]any{
		"id": gitlabProject, "name": f.name(), "path_with_namespace": f.Repository, "namespace": f.owner(), "default_branch": "main",
		"web_url": f.URL + "/" + f.Repository, "git_http_url": f.CloneURL, "homepage": f.URL + "/" + f.Repository,
	}}
	name := "Push Hook"
	switch e.Kind {
	case PullChanged:
		name = "Merge Request Hook"
		body["object_kind"], body["event_type"], body["user"] = "merge_request", "merge_request", g.actor("alice")
		of := g.changed(f, f.pulls[e.Number-1])
		of["action"] = e.Action
		if e.Action == "" {
			of["action"] = "open"
		}
		body["object_attributes"] = of
	case Commented:
		name = "Note Hook"
		p, c := f.findComment(e.Comment)
		body["object_kind"], body["event_type"], body["user"] = "note", "note", g.actor(c.Author)
		body["project_id"], body["merge_request"] = gitlabProject, g.changed(f, p)
		body["object_attributes"] = map[string]any{
			"id": c.ID, "note": c.Body, "noteable_type": "MergeRequest", "noteable_id": 900 + p.Number, "author_id": userID(c.Author),
			"project_id": gitlabProject, "system": false, "action": "create", "created_at": stamp(c.Created), "updated_at": stamp(c.Updated),
			"url": fmt.Sprintf("%s/%s/-/merge_requests/%d#note_%d", f.URL, f.Repository, p.Number, c.ID),
		}
	case Reviewed:
		name = "Merge Request Hook"
		p := f.pulls[e.Number-1]
		review := p.Reviews[len(p.Reviews)-1]
		body["object_kind"], body["event_type"], body["user"] = "merge_request", "merge_request", g.actor(review.Author)
		of := g.changed(f, p)
		of["action"] = map[Verdict]string{Approved: "approved", ChangesRequested: "unapproved", Remarked: "update"}[review.Verdict]
		body["object_attributes"] = of
	default: // GitLab's test delivery is a push too
		body["object_kind"], body["event_name"] = "push", "push"
		body["ref"], body["before"], body["after"], body["checkout_sha"] = e.Ref, e.Before, e.After, e.After
		body["user_username"], body["project_id"], body["commits"], body["total_commits_count"] = "alice", gitlabProject, []any{}, 0
	}
	raw, err := json.Marshal(body)
	if err != nil {
		f.t.Error(err)
	}
	h := http.Header{}
	h.Set("User-Agent", "GitLab/18.5.0")
	h.Set("X-Gitlab-Event", name)
	h.Set("X-Gitlab-Instance", f.URL)
	h.Set("X-Gitlab-Event-UUID", fmt.Sprintf("13792a34-cac6-4fda-95a8-%012d", f.id()))
	h.Set("X-Gitlab-Webhook-UUID", "02affd2d-2cba-4033-917d-ec22d5dc4b38")
	return h, raw
}

// actor is a user as webhooks tell it.
func (gitlab) actor(login string) map[string]any {
	return map[string]any{"id": userID(login), "username": login, "name": login, "email": "[REDACTED]", "avatar_url": nil}
}

// changed is a merge request as webhooks tell it, which is not as the API does.
func (g gitlab) changed(f *Forge, p *Pull) map[string]any {
	of := g.pullJSON(f, p)
	return map[string]any{
		"id": of["id"], "iid": p.Number, "title": p.Title, "description": p.Body, "state": of["state"], "draft": p.Draft,
		"source_branch": p.Branch, "target_branch": p.Base, "url": of["web_url"], "author_id": userID(p.Author),
		"source_project_id": of["source_project_id"], "target_project_id": gitlabProject, "merge_commit_sha": of["merge_commit_sha"],
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "last_commit": map[string]any{"id": p.Head, "message": ""},
	}
}

// sign sends the secret itself: that is all that GitLab does.
func (gitlab) sign(h http.Header, secret string, _ []byte) { h.Set("X-Gitlab-Token", secret) }
