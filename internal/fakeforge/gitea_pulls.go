package fakeforge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// pullJSON is a pull request as Gitea tells it.
func (g gitea) pullJSON(f *Forge, p *Pull) map[string]any {
	page := fmt.Sprintf("%s/%s/pulls/%d", f.URL, f.Repository, p.Number)
	repo := func(full string, fork bool) map[string]any {
		return map[string]any{"id": userID(full), "full_name": full, "fork": fork}
	}
	full := f.Repository
	if p.Fork != "" {
		full = p.Fork + "/" + f.name()
	}
	// The branch as it is now, merged or not; its own ref where it is gone.
	ref, sha := p.Branch, p.Head
	if now := f.resolve("refs/heads/" + p.Branch); p.Fork == "" && now != "" {
		sha = now
	} else if p.Fork == "" {
		ref = g.pullRef(p.Number)
	}
	out := map[string]any{
		"id": p.Number, "number": p.Number, "url": page, "html_url": page, "title": p.Title, "body": p.Body,
		"user": g.user(p.Author), "state": map[bool]string{true: "open", false: "closed"}[p.Open],
		"draft": p.Draft, "is_locked": false, "comments": len(p.Comments), "mergeable": p.Open,
		"merged": p.Merged, "merged_at": nil, "merge_commit_sha": nil, "merged_by": nil,
		"base": map[string]any{
			"label": p.Base, "ref": p.Base, "sha": f.resolve("refs/heads/" + p.Base),
			"repo_id": userID(f.Repository), "repo": repo(f.Repository, false),
		},
		"head":       map[string]any{"label": p.Branch, "ref": ref, "sha": sha, "repo_id": userID(full), "repo": repo(full, p.Fork != "")},
		"merge_base": f.mergeBase(p), "created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": nil,
	}
	if !p.Open {
		out["closed_at"] = stamp(p.Updated)
	}
	if p.Merged {
		out["merged_at"], out["merge_commit_sha"], out["merged_by"] = stamp(p.MergedAt), p.MergeCommit, g.user("alice")
	}
	return out
}

func (g gitea) listPulls(f *Forge, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	out := []any{}
	for _, p := range f.pulls {
		if state := q.Get("state"); (state == "" || state == "open") && !p.Open || state == "closed" && p.Open {
			continue
		}
		out = append(out, g.pullJSON(f, p))
	}
	if q.Get("sort") != "oldest" {
		slices.Reverse(out)
	}
	reply(w, http.StatusOK, page(f, w, r, out, "limit", 30))
}

func (g gitea) getPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	if p := f.pull(number(r, "number")); p != nil {
		reply(w, http.StatusOK, g.pullJSON(f, p))
		return
	}
	g.missing(w)
}

// commitPull knows the commits that merging made, and no others.
func (g gitea) commitPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	for _, p := range f.pulls {
		if p.Merged && p.MergeCommit == r.PathValue("sha") {
			reply(w, http.StatusOK, g.pullJSON(f, p))
			return
		}
	}
	g.refuse(w, http.StatusNotFound, "pull request does not exist [id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: 0, head_branch: , base_branch: ]")
}

func (g gitea) createPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title string `json:"title"`
		Head  string `json:"head"`
		Base  string `json:"base"`
		Body  string `json:"body"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	same := func(p *Pull) bool { return p.Open && p.Fork == "" && p.Branch == in.Head && p.Base == in.Base }
	switch {
	case in.Head == in.Base:
		g.refuse(w, http.StatusUnprocessableEntity, "Invalid PullRequest: There are no changes between the head and the base")
	case f.resolve("refs/heads/"+in.Base) == "" || f.resolve("refs/heads/"+in.Head) == "":
		g.missing(w)
	case in.Title == "" || len(in.Title) > 255:
		g.refuse(w, http.StatusUnprocessableEntity, "invalid title")
	case slices.ContainsFunc(f.pulls, same):
		g.refuse(w, http.StatusConflict, "pull request already exists for these targets [id: 1, issue_id: 1, head_repo_id: 1, base_repo_id: 1, head_branch: "+in.Head+", base_branch: "+in.Base+"]")
	default:
		p, err := f.open(Pull{Title: in.Title, Body: in.Body, Author: login(r), Branch: in.Head, Base: in.Base})
		if err != nil {
			g.broken(w)
			return
		}
		reply(w, http.StatusCreated, g.pullJSON(f, p))
	}
}

func (g gitea) reviewJSON(f *Forge, p *Pull, review Review) map[string]any {
	state := map[Verdict]string{Approved: "APPROVED", ChangesRequested: "REQUEST_CHANGES", Remarked: "COMMENT"}[review.Verdict]
	verdict := review.Verdict != Remarked
	return map[string]any{
		"id": review.ID, "user": g.user(review.Author), "team": nil, "state": state, "body": review.Body,
		"commit_id": review.Commit, "stale": verdict && review.Commit != p.Head,
		"official":  verdict && rankOf(f.roles[review.Author]) >= rankOf("write"),
		"dismissed": review.Dismissed, "comments_count": len(review.Remarks),
		"submitted_at": stamp(review.At), "updated_at": stamp(review.At),
		"html_url":         fmt.Sprintf("%s/%s/pulls/%d#issuecomment-%d", f.URL, f.Repository, p.Number, review.ID),
		"pull_request_url": fmt.Sprintf("%s/%s/pulls/%d", f.URL, f.Repository, p.Number),
	}
}

func (g gitea) listReviews(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w)
		return
	}
	out := []any{}
	for _, review := range p.Reviews {
		out = append(out, g.reviewJSON(f, p, review))
	}
	out = page(f, w, r, out, "limit", 30)
	noLinks(w)
	reply(w, http.StatusOK, out)
}

func (g gitea) createReview(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Event    string `json:"event"`
		Body     string `json:"body"`
		Commit   string `json:"commit_id"`
		Comments []struct {
			Path string `json:"path"`
			Body string `json:"body"`
			Old  int    `json:"old_position"`
			New  int    `json:"new_position"`
		} `json:"comments"`
	}
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w)
		return
	}
	if !g.decode(w, r, &in) {
		return
	}
	if in.Commit == "" {
		in.Commit = p.Head
	}
	verdict, ok := map[string]Verdict{"APPROVED": Approved, "REQUEST_CHANGES": ChangesRequested, "COMMENT": Remarked}[in.Event]
	body := strings.TrimSpace(in.Body) != ""
	switch {
	case !ok:
		g.refuse(w, http.StatusUnprocessableEntity, "review stay pending")
		return
	case verdict != Remarked && login(r) == p.Author:
		g.refuse(w, http.StatusUnprocessableEntity, "approve your own pull is not allowed")
		return
	case verdict == ChangesRequested && !body, verdict == Remarked && !body && len(in.Comments) == 0:
		g.refuse(w, http.StatusUnprocessableEntity, "review event "+in.Event+" requires a body")
		return
	case f.resolve(in.Commit) == "":
		g.broken(w)
		return
	}
	review := Review{ID: f.id(), Author: login(r), Verdict: verdict, Commit: in.Commit, Body: in.Body, At: f.now()}
	for _, c := range in.Comments {
		if c.Path == "" || c.Body == "" || c.New < 1 || !f.has(in.Commit, c.Path) {
			g.broken(w)
			return
		}
		review.Remarks = append(review.Remarks, Remark{c.Path, c.New, c.Body})
	}
	p.Reviews = append(p.Reviews, review)
	reply(w, http.StatusOK, g.reviewJSON(f, p, review))
}

func (g gitea) listFiles(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w)
		return
	}
	var paths []string
	for path := range f.patches(p) {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	out := []any{}
	for _, path := range paths {
		status := "changed"
		switch {
		case !f.has(p.Head, path):
			status = "deleted"
		case !f.has(f.mergeBase(p), path):
			status = "added"
		}
		out = append(out, map[string]any{"filename": path, "status": status, "html_url": f.URL + "/" + f.Repository + "/src/commit/" + p.Head + "/" + escaped(path)})
	}
	reply(w, http.StatusOK, page(f, w, r, out, "limit", 30))
}
