package fakeforge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// pullJSON is a merge request as GitLab tells it.
func (g gitlab) pullJSON(f *Forge, p *Pull) map[string]any {
	source := int64(gitlabProject)
	if p.Fork != "" {
		source = userID(p.Fork + "/" + f.name())
	}
	out := map[string]any{
		"id": 900 + p.Number, "iid": p.Number, "project_id": gitlabProject, "title": p.Title, "description": p.Body,
		"state": "closed", "created_at": millis(p.Created), "updated_at": millis(p.Updated), "merged_at": nil,
		"author": g.user(p.Author), "source_branch": p.Branch, "target_branch": p.Base,
		"source_project_id": source, "target_project_id": gitlabProject, "draft": p.Draft, "sha": p.Head,
		"merge_commit_sha": nil, "squash_commit_sha": nil,
		"web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", f.URL, f.Repository, p.Number),
	}
	switch {
	case p.Open:
		out["state"] = "opened"
	case p.Merged:
		out["state"], out["merged_at"] = "merged", millis(p.MergedAt)
		made := "merge_commit_sha"
		if _, err := f.git("rev-parse", "--verify", "--quiet", p.MergeCommit+"^2"); err != nil {
			made = "squash_commit_sha"
		}
		out[made] = p.MergeCommit
	}
	return out
}

func (g gitlab) thePull(f *Forge, w http.ResponseWriter, r *http.Request) *Pull {
	p := f.pull(number(r, "number"))
	if p == nil {
		reply(w, http.StatusNotFound, map[string]any{"message": "404 Not found"})
	}
	return p
}

func (g gitlab) getPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	if p := g.thePull(f, w, r); p != nil {
		reply(w, http.StatusOK, g.pullJSON(f, p))
	}
}

func (g gitlab) listPulls(f *Forge, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	out := []any{}
	for _, p := range f.pulls {
		of := g.pullJSON(f, p)
		fits := true
		for _, field := range []string{"state", "source_branch", "target_branch"} {
			fits = fits && (q.Get(field) == "" || q.Get(field) == of[field] || field == "state" && q.Get(field) == "all")
		}
		if fits {
			out = append(out, of)
		}
	}
	if q.Get("sort") != "asc" {
		slices.Reverse(out)
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 20))
}

func (g gitlab) commitPulls(f *Forge, w http.ResponseWriter, r *http.Request) {
	sha := f.resolve(r.PathValue("sha"))
	if sha == "" {
		g.missing(w, "Commit")
		return
	}
	merged, open := f.brought(sha)
	out := []any{}
	for _, p := range slices.Concat(open, merged) {
		out = append(out, g.pullJSON(f, p))
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 20))
}

func (g gitlab) createPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Source      string `json:"source_branch"`
		Target      string `json:"target_branch"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	same := slices.IndexFunc(f.pulls, func(p *Pull) bool {
		return p.Open && p.Fork == "" && p.Branch == in.Source && p.Base == in.Target
	})
	switch {
	case in.Title == "" || in.Source == "" || in.Target == "":
		reply(w, http.StatusBadRequest, map[string]any{"error": "title, source_branch, target_branch are missing"})
	case f.resolve("refs/heads/"+in.Source) == "" || f.resolve("refs/heads/"+in.Target) == "":
		g.invalid(w, "base", "Source branch or target branch does not exist")
	case len([]rune(in.Title)) > 255:
		g.invalid(w, "title", "is too long (maximum is 255 characters)")
	case same >= 0:
		reply(w, http.StatusConflict, map[string]any{"message": []string{
			fmt.Sprintf("Another open merge request already exists for this source branch: !%d", f.pulls[same].Number),
		}})
	default:
		p, err := f.open(Pull{Title: in.Title, Author: login(r), Branch: in.Source, Base: in.Target})
		if err != nil {
			g.refuse(w, http.StatusInternalServerError, "500 Internal Server Error")
			return
		}
		if in.Description != "" {
			p.Body, _ = g.order(f, w, p, in.Description)
		}
		reply(w, http.StatusCreated, g.pullJSON(f, p))
	}
}

// approvals are those that stand: a push takes none away, unless the project is set so.
func (g gitlab) approvals(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := g.thePull(f, w, r)
	if p == nil {
		return
	}
	out := []any{}
	for i, review := range p.Reviews {
		later := slices.ContainsFunc(p.Reviews[i+1:], func(o Review) bool { return o.Author == review.Author && o.Verdict != Remarked })
		if review.Verdict == Approved && !review.Dismissed && !later {
			out = append(out, map[string]any{"user": g.user(review.Author), "approved_at": millis(review.At)})
		}
	}
	reply(w, http.StatusOK, map[string]any{
		"id": 900 + p.Number, "iid": p.Number, "project_id": gitlabProject, "title": p.Title,
		"approved": len(out) > 0, "approvals_required": 0, "approvals_left": 0, "approved_by": out,
	})
}

// versions are the heads of a merge request, newest first.
func (g gitlab) versions(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := g.thePull(f, w, r)
	if p == nil {
		return
	}
	out := []any{}
	for i, head := range p.Heads {
		out = append(out, map[string]any{
			"id": 100*p.Number + i, "head_commit_sha": head.Commit, "base_commit_sha": f.mergeBase(p), "start_commit_sha": p.Start,
			"created_at": millis(head.At), "merge_request_id": 900 + p.Number, "state": "collected",
		})
	}
	slices.Reverse(out)
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 20))
}

// addedLines are the lines that a pull request's diff adds.
func (f *Forge) addedLines(p *Pull, path string) map[int]bool {
	added, at := map[int]bool{}, 0
	for line := range strings.SplitSeq(f.patches(p)[path], "\n") {
		switch m := hunk.FindStringSubmatch(line); {
		case m != nil:
			at, _ = strconv.Atoi(m[1])
		case strings.HasPrefix(line, "+"):
			added[at] = true
			at++
		case strings.HasPrefix(line, " "):
			at++
		}
	}
	return added
}

func (g gitlab) createDiscussion(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Body     string `json:"body"`
		Position *struct {
			Type  string `json:"position_type"`
			Base  string `json:"base_sha"`
			Start string `json:"start_sha"`
			Head  string `json:"head_sha"`
			Path  string `json:"new_path"`
			Line  int    `json:"new_line"`
		} `json:"position"`
	}
	p := g.thePull(f, w, r)
	if p == nil || !g.decode(w, r, &in) {
		return
	}
	at := in.Position
	switch {
	case at == nil || at.Type != "text" || at.Base == "" || at.Start == "":
		reply(w, http.StatusBadRequest, map[string]any{"error": "position is invalid"})
		return
	case at.Head != p.Head || !f.addedLines(p, at.Path)[at.Line]:
		g.refuse(w, http.StatusBadRequest, `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}`)
		return
	}
	body, ok := g.order(f, w, p, in.Body)
	if !ok {
		return
	}
	p.Reviews = append(p.Reviews, Review{
		ID: f.id(), Author: login(r), Verdict: Remarked, Commit: at.Head, At: f.now(), Remarks: []Remark{{at.Path, at.Line, body}},
	})
	note := g.noteJSON(p, f.comment(p, login(r), body))
	note["type"] = "DiffNote"
	reply(w, http.StatusCreated, map[string]any{"id": strconv.FormatInt(f.id(), 16), "individual_note": false, "notes": []any{note}})
}

func (g gitlab) getBranch(f *Forge, w http.ResponseWriter, r *http.Request) {
	branch := r.PathValue("branch")
	tip := f.resolve("refs/heads/" + branch)
	if tip == "" {
		g.missing(w, "Branch")
		return
	}
	reply(w, http.StatusOK, map[string]any{"name": branch, "merged": false, "protected": false, "commit": map[string]any{"id": tip}})
}

func (g gitlab) getFile(f *Forge, w http.ResponseWriter, r *http.Request) {
	path, commit := r.PathValue("path"), f.resolve(r.URL.Query().Get("ref"))
	switch {
	case commit == "":
		g.missing(w, "Commit")
		return
	case f.blob(commit, path) == "":
		g.missing(w, "File")
		return
	}
	w.Header().Set("X-Gitlab-Blob-Id", f.blob(commit, path))
	w.Header().Set("X-Gitlab-Commit-Id", commit)
	w.Header().Set("X-Gitlab-File-Path", path)
	w.Header().Set("X-Gitlab-Ref", r.URL.Query().Get("ref"))
	w.Header().Set("X-Gitlab-Size", "1")
	reply(w, http.StatusOK, map[string]any{"file_path": path, "blob_id": f.blob(commit, path), "commit_id": commit})
}

// createCommit makes one commit of all actions, and the branch with it.
func (g gitlab) createCommit(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Branch  string `json:"branch"`
		Start   string `json:"start_sha"`
		Message string `json:"commit_message"`
		Actions []struct {
			Action   string `json:"action"`
			Path     string `json:"file_path"`
			Content  string `json:"content"`
			Encoding string `json:"encoding"`
		} `json:"actions"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	tip, parent := f.resolve("refs/heads/"+in.Branch), f.resolve(in.Start)
	switch {
	case in.Branch == "" || in.Message == "" || in.Actions == nil:
		reply(w, http.StatusBadRequest, map[string]any{"error": "branch is missing, commit_message is missing, actions is missing"})
		return
	case in.Start == "" && tip == "":
		g.refuse(w, http.StatusBadRequest, "You can only create or edit files when you are on a branch")
		return
	case in.Start != "" && tip != "":
		g.refuse(w, http.StatusBadRequest, "A branch called '"+in.Branch+"' already exists. Switch to that branch in order to make changes")
		return
	case in.Start != "" && parent == "":
		g.refuse(w, http.StatusBadRequest, "Cannot find start commit "+in.Start)
		return
	case in.Start == "":
		parent = tip
	}
	files := map[string]*string{}
	for _, a := range in.Actions {
		there := f.blob(parent, a.Path) != ""
		content := a.Content
		if a.Encoding == "base64" {
			b, err := base64.StdEncoding.DecodeString(a.Content)
			if err != nil {
				g.refuse(w, http.StatusBadRequest, "invalid base64")
				return
			}
			content = string(b)
		}
		switch {
		case a.Action != "create" && a.Action != "update" && a.Action != "delete":
			reply(w, http.StatusBadRequest, map[string]any{"error": "actions[0][action] does not have a valid value"})
			return
		case a.Action == "create" && there:
			g.refuse(w, http.StatusBadRequest, "A file with this name already exists")
			return
		case a.Action != "create" && !there:
			g.refuse(w, http.StatusBadRequest, "A file with this name doesn't exist")
			return
		}
		files[a.Path] = nil
		if a.Action != "delete" {
			files[a.Path] = &content
		}
	}
	commit, err := f.commit(parent, login(r), in.Message, files)
	if err == nil {
		_, err = f.git("update-ref", "refs/heads/"+in.Branch, commit)
	}
	if err != nil {
		g.refuse(w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	f.refresh()
	reply(w, http.StatusCreated, map[string]any{"id": commit, "message": in.Message, "parent_ids": []string{parent}})
}
