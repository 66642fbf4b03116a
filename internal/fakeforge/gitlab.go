package fakeforge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// gitlab speaks like a GitLab server.
type gitlab struct{}

func init() { dialects[GitLab] = gitlab{} }

// gitlabProject is the number of the one project; forks have others.
const gitlabProject = 15

func (gitlab) prefix() string            { return "/api/v4" }
func (gitlab) pullRef(number int) string { return fmt.Sprintf("refs/merge-requests/%d/head", number) }

func (gitlab) who(f *Forge, r *http.Request) (string, bool) {
	return f.Me, r.Header.Get("Private-Token") == f.Token || r.Header.Get("Authorization") == "Bearer "+f.Token
}

// refuse answers as GitLab does: over a limit in plain text, otherwise with a
// message that begins with the status.
func (gitlab) refuse(w http.ResponseWriter, status int, message string) {
	if status == http.StatusForbidden && strings.Contains(message, "rate limit") {
		http.Error(w, "Retry later", http.StatusTooManyRequests)
		return
	}
	if status == http.StatusUnauthorized {
		message = "401 Unauthorized"
	}
	reply(w, status, map[string]any{"message": message})
}

func (gitlab) showQuota(h http.Header, q quota) {
	h.Set("RateLimit-Limit", strconv.Itoa(q.limit))
	h.Set("RateLimit-Observed", strconv.Itoa(q.limit-q.remaining))
	h.Set("RateLimit-Remaining", strconv.Itoa(max(q.remaining, 0)))
	h.Set("RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	if q.remaining <= 0 {
		h.Set("Retry-After", waitSeconds(h, q))
	}
}

func (g gitlab) missing(w http.ResponseWriter, what string) {
	g.refuse(w, http.StatusNotFound, "404 "+what+" Not Found")
}

// invalid is how GitLab says that a field will not do.
func (g gitlab) invalid(w http.ResponseWriter, field, why string) {
	reply(w, http.StatusBadRequest, map[string]any{"message": map[string]any{field: []string{why}}})
}

func (g gitlab) decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "Problems parsing JSON"})
		return false
	}
	return true
}

func (g gitlab) mux(f *Forge) http.Handler {
	mux := http.NewServeMux()
	// rank is the least role that a route asks of the token's owner.
	route := func(pattern, rank string, h func(f *Forge, w http.ResponseWriter, r *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /projects/{project}"+path, func(w http.ResponseWriter, r *http.Request) {
			project := r.PathValue("project")
			switch {
			case !strings.EqualFold(project, f.Repository) && project != strconv.Itoa(gitlabProject):
				g.missing(w, "Project")
			case rankOf(f.roles[login(r)]) < rankOf(rank):
				g.refuse(w, http.StatusForbidden, "403 Forbidden")
			default:
				h(f, w, r)
			}
		})
	}
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, g.user(login(r))) })
	mux.HandleFunc("GET /users", func(w http.ResponseWriter, r *http.Request) {
		name, found := r.URL.Query().Get("username"), []any{}
		if _, known := f.roles[name]; known {
			found = append(found, g.user(name))
		}
		reply(w, http.StatusOK, found)
	})
	route("GET /members/all/{user}", "read", g.member)
	route("GET /repository/commits/{sha}/statuses", "read", g.listStatuses)
	route("POST /statuses/{sha}", "write", g.postStatus)
	route("GET /repository/commits/{sha}/merge_requests", "read", g.commitPulls)
	route("GET /merge_requests", "read", g.listPulls)
	route("POST /merge_requests", "write", g.createPull)
	route("GET /merge_requests/{number}", "read", g.getPull)
	route("GET /merge_requests/{number}/approvals", "read", g.approvals)
	route("GET /merge_requests/{number}/versions", "read", g.versions)
	route("GET /merge_requests/{number}/notes", "read", g.listNotes)
	route("POST /merge_requests/{number}/notes", "read", g.createNote)
	route("GET /merge_requests/{number}/notes/{id}", "read", g.getNote)
	route("PUT /merge_requests/{number}/notes/{id}", "read", g.editNote)
	route("POST /merge_requests/{number}/discussions", "read", g.createDiscussion)
	route("GET /repository/branches/{branch}", "read", g.getBranch)
	route("GET /repository/files/{path}", "read", g.getFile)
	route("POST /repository/commits", "write", g.createCommit)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusNotFound, map[string]any{"error": "404 Not Found"})
	})
	return mux
}

func (gitlab) user(login string) map[string]any {
	return map[string]any{"id": userID(login), "username": login, "name": login, "state": "active", "web_url": "https://forge.example.com/" + login}
}

// UserID is the number that GitLab knows a user by.
func (f *Forge) UserID(login string) int64 { return userID(login) }

// member is a user's role; GitLab has no triage, and calls Reporter who may read.
func (g gitlab) member(f *Forge, w http.ResponseWriter, r *http.Request) {
	levels := map[string]int{"read": 20, "triage": 20, "write": 30, "maintain": 40, "admin": 50}
	for user, role := range f.roles {
		if strconv.FormatInt(userID(user), 10) == r.PathValue("user") && role != "" {
			out := g.user(user)
			out["access_level"], out["expires_at"] = levels[role], nil
			reply(w, http.StatusOK, out)
			return
		}
	}
	g.missing(w, "Not found")
}

// pipeline is the number of a commit's one pipeline.
func (gitlab) pipeline(sha string) int64 {
	n, err := strconv.ParseInt(sha[:7], 16, 64)
	if err != nil {
		return 1
	}
	return n
}

func (g gitlab) statusJSON(f *Forge, s Status) map[string]any {
	return map[string]any{
		"id": s.ID, "sha": s.SHA, "ref": f.branchOf(s.SHA), "status": s.State, "name": s.Context, "description": s.Description,
		"target_url": s.TargetURL, "author": g.user(s.Creator), "created_at": millis(s.At), "pipeline_id": g.pipeline(s.SHA),
		"allow_failure": false, "coverage": nil, "started_at": nil, "finished_at": nil,
	}
}

// branchOf is the first branch that holds a commit, "" for none.
func (f *Forge) branchOf(sha string) string {
	out, err := f.git("branch", "--format=%(refname:short)", "--contains", sha)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(out, "\n")
	return first
}

// listStatuses tells the latest of each name unless all are asked for.
func (g gitlab) listStatuses(f *Forge, w http.ResponseWriter, r *http.Request) {
	sha, q := f.resolve(r.PathValue("sha")), r.URL.Query()
	if sha == "" {
		g.missing(w, "Commit")
		return
	}
	last := map[string]int{}
	all := f.statusesOf(sha)
	for i, s := range all {
		last[s.Context] = i
	}
	out := []any{}
	for i, s := range all {
		if (q.Get("name") == "" || q.Get("name") == s.Context) && (q.Get("all") == "true" || last[s.Context] == i) {
			out = append(out, g.statusJSON(f, s))
		}
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 20))
}

// gitlabMoves are the states that a job may be in so that it can go to another.
// One that ended goes nowhere: the next takes its place.
var gitlabMoves = map[string]struct {
	event string
	from  []string
}{
	"pending":  {"enqueue", []string{"created"}},
	"running":  {"run", []string{"created", "pending"}},
	"success":  {"success", []string{"created", "pending", "running"}},
	"failed":   {"drop", []string{"created", "pending", "running"}},
	"canceled": {"cancel", []string{"created", "pending", "running"}},
	"skipped":  {"skip", []string{"created", "pending"}},
}

func (g gitlab) postStatus(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		State       string `json:"state"`
		Ref         string `json:"ref"`
		Name        string `json:"name"`
		Context     string `json:"context"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Pipeline    int64  `json:"pipeline_id"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	if in.Name == "" {
		in.Name = in.Context
	}
	sha := f.resolve(r.PathValue("sha"))
	u, err := url.Parse(in.TargetURL)
	move, known := gitlabMoves[in.State]
	switch {
	case !known:
		reply(w, http.StatusBadRequest, map[string]any{"error": "state does not have a valid value"})
		return
	case sha == "":
		g.missing(w, "Commit")
		return
	case f.branchOf(sha) == "":
		g.missing(w, "References for commit")
		return
	case in.Pipeline != 0 && (in.Pipeline != g.pipeline(sha) || in.Ref != "" && in.Ref != f.branchOf(sha)):
		g.missing(w, "Pipeline for pipeline_id, sha and ref")
		return
	case utf8.RuneCountInString(in.Name) > 255:
		g.invalid(w, "name", "is too long (maximum is 255 characters)")
		return
	case utf8.RuneCountInString(in.Description) > 255:
		g.invalid(w, "description", "is too long (maximum is 255 characters)")
		return
	case utf8.RuneCountInString(in.TargetURL) > 255:
		g.invalid(w, "target_url", "is too long (maximum is 255 characters)")
		return
	case in.TargetURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https"):
		g.invalid(w, "target_url", "is blocked: Only allowed schemes are http, https")
		return
	}
	job := f.job(sha, in.Name)
	now := "created"
	if job != nil {
		now = job.State
	}
	switch {
	case !slices.Contains(move.from, now):
		g.refuse(w, http.StatusBadRequest, fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)", move.event, now, move.event))
		return
	case job == nil && f.full(sha, in.Name):
		g.refuse(w, http.StatusUnprocessableEntity, "The number of jobs has exceeded the limit")
		return
	case job == nil:
		f.statuses = append(f.statuses, Status{ID: f.id(), SHA: sha, Context: in.Name, Creator: login(r)})
		job = &f.statuses[len(f.statuses)-1]
	}
	job.State, job.Description, job.At = in.State, in.Description, f.now()
	if in.TargetURL != "" {
		job.TargetURL = in.TargetURL
	}
	reply(w, http.StatusCreated, g.statusJSON(f, *job))
}

// job is the status of a name that did not end yet, nil for none.
func (f *Forge) job(sha, name string) *Status {
	for i := range f.statuses {
		s := &f.statuses[i]
		if s.SHA == sha && s.Context == name && (s.State == "pending" || s.State == "running") {
			return s
		}
	}
	return nil
}

// millis is a time as GitLab writes it.
func millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (g gitlab) noteJSON(p *Pull, c *Comment) map[string]any {
	return map[string]any{
		"id": c.ID, "type": nil, "body": c.Body, "author": g.user(c.Author), "system": false,
		"created_at": millis(c.Created), "updated_at": millis(c.Updated),
		"noteable_id": p.Number, "noteable_iid": p.Number, "noteable_type": "MergeRequest", "project_id": gitlabProject,
	}
}

func (g gitlab) listNotes(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w, "Not found")
		return
	}
	out := []any{}
	for i := range p.Comments {
		out = append(out, g.noteJSON(p, &p.Comments[i]))
	}
	if r.URL.Query().Get("sort") != "asc" {
		slices.Reverse(out)
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 20))
}

// gitlabOrder is a line that GitLab carries out instead of showing it.
var gitlabOrder = regexp.MustCompile(`(?m)^/(close|merge|approve)[ \t]*$\n?`)

// body reads a note's body and carries out the orders in it.
func (g gitlab) body(f *Forge, w http.ResponseWriter, r *http.Request, p *Pull) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	if !g.decode(w, r, &in) {
		return "", false
	}
	return g.order(f, w, p, in.Body)
}

func (g gitlab) order(f *Forge, w http.ResponseWriter, p *Pull, body string) (string, bool) {
	if gitlabOrder.MatchString(body) {
		p.Open, p.Updated = false, f.now()
		body = gitlabOrder.ReplaceAllString(body, "")
	}
	switch {
	case strings.TrimSpace(body) == "":
		reply(w, http.StatusBadRequest, map[string]any{"error": "body is empty"})
	case utf8.RuneCountInString(body) > 1_000_000:
		g.invalid(w, "note", "is too long (maximum is 1000000 characters)")
	default:
		return body, true
	}
	return "", false
}

func (g gitlab) createNote(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w, "Not found")
		return
	}
	if body, ok := g.body(f, w, r, p); ok {
		reply(w, http.StatusCreated, g.noteJSON(p, f.comment(p, login(r), body)))
	}
}

// theNote is the note of the path, of that merge request and no other.
func (g gitlab) theNote(f *Forge, w http.ResponseWriter, r *http.Request) (*Pull, *Comment) {
	p, c := f.findComment(int64(number(r, "id")))
	if c == nil || p.Number != number(r, "number") {
		g.missing(w, "Not found")
		return nil, nil
	}
	return p, c
}

func (g gitlab) getNote(f *Forge, w http.ResponseWriter, r *http.Request) {
	if p, c := g.theNote(f, w, r); c != nil {
		reply(w, http.StatusOK, g.noteJSON(p, c))
	}
}

func (g gitlab) editNote(f *Forge, w http.ResponseWriter, r *http.Request) {
	p, c := g.theNote(f, w, r)
	switch {
	case c == nil:
		return
	case c.Author != login(r) && rankOf(f.roles[login(r)]) < rankOf("maintain"):
		g.refuse(w, http.StatusForbidden, "403 Forbidden")
		return
	}
	if body, ok := g.body(f, w, r, p); ok {
		c.Body, c.Updated, c.Edits = body, f.now(), c.Edits+1
		reply(w, http.StatusOK, g.noteJSON(p, c))
	}
}
