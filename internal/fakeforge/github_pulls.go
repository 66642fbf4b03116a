package fakeforge

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pullJSON is a pull request; a list leaves out what only the page of one says.
func (g github) pullJSON(f *Forge, p *Pull, whole bool) map[string]any {
	full, fork := f.Repository, false
	if p.Fork != "" {
		full, fork = p.Fork+"/"+f.name(), true
	}
	repo := func(full string, fork bool) map[string]any {
		return map[string]any{"full_name": full, "id": userID(full), "fork": fork}
	}
	owner, _, _ := strings.Cut(full, "/")
	out := map[string]any{
		"number": p.Number, "title": p.Title, "body": p.Body, "user": g.user(p.Author), "draft": p.Draft, "locked": false,
		"state":      map[bool]string{true: "open", false: "closed"}[p.Open],
		"html_url":   fmt.Sprintf("%s/%s/pull/%d", f.URL, f.Repository, p.Number),
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "merged_at": nil,
		// Of an open one it is a commit that GitHub made to try the merge.
		"merge_commit_sha": strings.Repeat("7", 40),
		"head":             map[string]any{"ref": p.Branch, "sha": p.Head, "label": owner + ":" + p.Branch, "repo": repo(full, fork)},
		"base": map[string]any{
			"ref": p.Base, "sha": f.resolve("refs/heads/" + p.Base), "label": f.owner() + ":" + p.Base,
			"repo": repo(f.Repository, false),
		},
	}
	if p.Merged {
		out["merged_at"], out["merge_commit_sha"] = stamp(p.Updated), p.MergeCommit
	}
	if whole {
		out["merged"] = p.Merged
	}
	return out
}

func (g github) pulls(f *Forge, all []*Pull) []any {
	out := []any{}
	for _, p := range all {
		out = append(out, g.pullJSON(f, p, false))
	}
	return out
}

func (g github) listPulls(f *Forge, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var all []*Pull
	for _, p := range f.pulls {
		owner := p.Fork
		if owner == "" {
			owner = f.owner()
		}
		state := q.Get("state")
		switch {
		case (state == "" || state == "open") && !p.Open, state == "closed" && p.Open:
		case q.Get("base") != "" && q.Get("base") != p.Base:
		case q.Get("head") != "" && q.Get("head") != owner+":"+p.Branch:
		default:
			all = append(all, p)
		}
	}
	if q.Get("direction") != "asc" {
		slices.Reverse(all)
	}
	reply(w, http.StatusOK, page(f, w, r, g.pulls(f, all), "per_page", 30))
}

func (g github) getPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	reply(w, http.StatusOK, g.pullJSON(f, p, true))
}

func (g github) createPull(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title string `json:"title"`
		Head  string `json:"head"`
		Base  string `json:"base"`
		Body  string `json:"body"`
		Draft bool   `json:"draft"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	branch := strings.TrimPrefix(in.Head, f.owner()+":")
	base, head := f.resolve("refs/heads/"+in.Base), f.resolve("refs/heads/"+branch)
	switch {
	case in.Title == "":
		g.invalid(w, "PullRequest", "title", "missing_field", "")
	case base == "":
		g.invalid(w, "PullRequest", "base", "invalid", "")
	case head == "":
		g.invalid(w, "PullRequest", "head", "invalid", "")
	case utf8.RuneCountInString(in.Title) > 256:
		g.invalid(w, "PullRequest", "title", "custom", "title is too long (maximum is 256 characters)")
	case utf8.RuneCountInString(in.Body) > 65536:
		g.invalid(w, "PullRequest", "body", "custom", "body is too long (maximum is 65536 characters)")
	case !f.within(head, base, head):
		g.invalid(w, "PullRequest", "", "custom", "No commits between "+in.Base+" and "+branch)
	case slices.ContainsFunc(f.pulls, func(p *Pull) bool {
		return p.Open && p.Fork == "" && p.Branch == branch && p.Base == in.Base
	}):
		g.invalid(w, "PullRequest", "", "custom", "A pull request already exists for "+f.owner()+":"+branch+".")
	default:
		p, err := f.open(Pull{Title: in.Title, Body: in.Body, Author: login(r), Branch: branch, Base: in.Base, Draft: in.Draft})
		if err != nil {
			g.refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		reply(w, http.StatusCreated, g.pullJSON(f, p, true))
	}
}

func (g github) commitPulls(f *Forge, w http.ResponseWriter, r *http.Request) {
	sha := f.resolve(r.PathValue("sha"))
	if sha == "" {
		g.refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+r.PathValue("sha"))
		return
	}
	all, open := f.brought(sha)
	if !f.ancestor(sha, f.resolve("refs/heads/main")) {
		all = open // what is not in the default branch was brought by nothing
	}
	reply(w, http.StatusOK, page(f, w, r, g.pulls(f, all), "per_page", 30))
}

func (g github) reviewJSON(r Review) map[string]any {
	state := map[Verdict]string{Approved: "APPROVED", ChangesRequested: "CHANGES_REQUESTED", Remarked: "COMMENTED"}[r.Verdict]
	if r.Dismissed {
		state = "DISMISSED"
	}
	return map[string]any{
		"id": r.ID, "user": g.user(r.Author), "state": state, "body": r.Body, "commit_id": r.Commit, "submitted_at": stamp(r.At),
	}
}

func (g github) listReviews(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	out := []any{}
	for _, review := range p.Reviews {
		out = append(out, g.reviewJSON(review))
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 30))
}

func (g github) createReview(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Commit   string `json:"commit_id"`
		Body     string `json:"body"`
		Event    string `json:"event"`
		Comments []struct {
			Path string `json:"path"`
			Line *int   `json:"line"`
			Side string `json:"side"`
			Body string `json:"body"`
		} `json:"comments"`
	}
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if !g.decode(w, r, &in) {
		return
	}
	verdict, ok := map[string]Verdict{"APPROVE": Approved, "REQUEST_CHANGES": ChangesRequested, "COMMENT": Remarked}[in.Event]
	switch {
	case !ok:
		g.refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity: a review that is pending belongs to nobody here")
		return
	case in.Body == "" && verdict != Approved:
		g.invalid(w, "PullRequestReview", "body", "missing_field", "")
		return
	case in.Commit != "" && !f.within(in.Commit, p.Start, p.Head):
		g.refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity: commit_id is not part of the pull request")
		return
	}
	review := Review{ID: f.id(), Author: login(r), Verdict: verdict, Commit: in.Commit, Body: in.Body, At: f.now()}
	lines := f.shownLines(p)
	for _, c := range in.Comments {
		if c.Line == nil || c.Side == "LEFT" || !lines[c.Path][*c.Line] || c.Body == "" {
			reply(w, http.StatusUnprocessableEntity, map[string]any{
				"message": "Unprocessable Entity", "errors": []string{"Pull request review thread line must be part of the diff"},
			})
			return
		}
		review.Remarks = append(review.Remarks, Remark{c.Path, *c.Line, c.Body})
	}
	p.Reviews = append(p.Reviews, review)
	reply(w, http.StatusOK, g.reviewJSON(review))
}

// patches are the hunks of each file that a pull request changes.
func (f *Forge) patches(p *Pull) map[string]string {
	diff, err := f.git("diff", "--no-color", "--no-renames", "--no-ext-diff", f.mergeBase(p), p.Head)
	if err != nil {
		f.t.Error(err)
	}
	out := map[string]string{}
	for _, file := range strings.Split("\n"+diff, "\ndiff --git ")[1:] {
		header, _, _ := strings.Cut(file, "\n")
		_, path, _ := strings.Cut(header, " b/")
		patch := ""
		if at := strings.Index(file, "\n@@"); at >= 0 {
			patch = file[at+1:]
		}
		out[path] = patch
	}
	return out
}

func (f *Forge) mergeBase(p *Pull) string {
	base, err := f.git("merge-base", p.Start, p.Head)
	if err != nil {
		return p.Start
	}
	return base
}

var hunk = regexp.MustCompile(`^@@ -\d+(?:,\d+)? \+(\d+)`)

// shownLines are the lines of the new side that a pull request's diff shows.
func (f *Forge) shownLines(p *Pull) map[string]map[int]bool {
	out := map[string]map[int]bool{}
	for path, patch := range f.patches(p) {
		lines, at := map[int]bool{}, 0
		for line := range strings.SplitSeq(patch, "\n") {
			if m := hunk.FindStringSubmatch(line); m != nil {
				at, _ = strconv.Atoi(m[1]) // it is digits
				continue
			}
			if strings.HasPrefix(line, "+") || strings.HasPrefix(line, " ") {
				lines[at] = true
				at++
			}
		}
		out[path] = lines
	}
	return out
}

func (g github) listFiles(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	patches := f.patches(p)
	paths := make([]string, 0, len(patches))
	for path := range patches {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	out := []any{}
	for _, path := range paths {
		status := "modified"
		switch {
		case !f.has(p.Head, path):
			status = "removed"
		case !f.has(f.mergeBase(p), path):
			status = "added"
		}
		out = append(out, map[string]any{"filename": path, "status": status, "patch": patches[path]})
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 30))
}
