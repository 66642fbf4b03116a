package fakeforge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// github speaks like api.github.com, below /api/v3 as GitHub Enterprise does.
type github struct{}

func (github) prefix() string            { return "/api/v3" }
func (github) pullRef(number int) string { return fmt.Sprintf("refs/pull/%d/head", number) }

func (github) who(f *Forge, r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != "Bearer" && scheme != "token" {
		return "", false
	}
	if token == f.Token {
		return f.Me, true
	}
	return f.app.who(scheme, token, r.URL.Path, f.now())
}

func (github) refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func (github) showQuota(h http.Header, q quota) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(q.remaining, 0)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-RateLimit-Used", strconv.Itoa(q.limit-q.remaining))
}

// invalid is how GitHub says that a field will not do.
func (g github) invalid(w http.ResponseWriter, resource, field, code, message string) {
	e := map[string]any{"resource": resource, "code": code}
	if field != "" {
		e["field"] = field
	}
	if message != "" {
		e["message"] = message
	}
	reply(w, http.StatusUnprocessableEntity, map[string]any{
		"message": "Validation Failed", "errors": []any{e}, "documentation_url": "https://docs.github.com/rest",
	})
}

// decode reads a body; GitHub ignores fields that it does not know.
func (g github) decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		g.refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

func (g github) mux(f *Forge) http.Handler {
	mux := http.NewServeMux()
	// rank is the least role that a route asks of the token's owner.
	route := func(pattern, rank string, h func(f *Forge, w http.ResponseWriter, r *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /repos/{owner}/{repo}"+path, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.EqualFold(r.PathValue("owner")+"/"+r.PathValue("repo"), f.Repository):
				g.refuse(w, http.StatusNotFound, "Not Found")
			case rankOf(f.roles[login(r)]) < rankOf(rank) && login(r) != f.app.login():
				g.refuse(w, http.StatusForbidden, "Resource not accessible by personal access token")
			default:
				h(f, w, r)
			}
		})
	}
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) {
		if login(r) == f.app.login() {
			g.refuse(w, http.StatusForbidden, "Resource not accessible by integration")
			return
		}
		reply(w, http.StatusOK, g.user(login(r)))
	})
	route("POST /statuses/{sha}", "write", g.postStatus)
	route("GET /pulls", "read", g.listPulls)
	route("POST /pulls", "write", g.createPull)
	route("GET /pulls/{number}", "read", g.getPull)
	route("GET /pulls/{number}/reviews", "read", g.listReviews)
	route("POST /pulls/{number}/reviews", "read", g.createReview)
	route("GET /pulls/{number}/files", "read", g.listFiles)
	route("GET /commits/{sha}/pulls", "read", g.commitPulls)
	route("GET /issues/{number}/comments", "read", g.listComments)
	route("POST /issues/{number}/comments", "read", g.createComment)
	route("GET /comment/{id}", "read", g.getComment)
	route("PATCH /comment/{id}", "read", g.editComment)
	route("DELETE /comment/{id}", "read", g.deleteComment)
	route("GET /collaborators/{user}/permission", "write", g.permission)
	g.gitRoutes(route)
	g.appRoutes(f, mux, route)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { g.refuse(w, http.StatusNotFound, "Not Found") })
	// A mux of patterns cannot tell issues/comments/7 from issues/7/comments.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, "/issues/comments/", "/comment/", 1)
		mux.ServeHTTP(w, r)
	})
}

// rankOf orders roles.
func rankOf(role string) int {
	return slices.Index([]string{"", "read", "triage", "write", "maintain", "admin"}, role)
}

func (github) user(login string) map[string]any {
	kind := "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	return map[string]any{"login": login, "id": userID(login), "type": kind, "site_admin": false}
}

// userID is the same for the same login.
func userID(login string) int64 {
	var id int64 = 1000
	for _, c := range login {
		id = (id*31 + int64(c)) % 1_000_003
	}
	return id
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (g github) postStatus(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		State       *string `json:"state"`
		TargetURL   string  `json:"target_url"`
		Description string  `json:"description"`
		Context     *string `json:"context"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	sha := r.PathValue("sha")
	context := "default"
	if in.Context != nil {
		context = *in.Context
	}
	u, err := url.Parse(in.TargetURL)
	switch {
	case len(sha) != 40 || f.resolve(sha) == "":
		g.refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
	case in.State == nil || !slices.Contains([]string{"error", "failure", "pending", "success"}, *in.State):
		g.invalid(w, "Status", "state", "invalid", "")
	case utf8.RuneCountInString(in.Description) > 140:
		g.invalid(w, "Status", "description", "custom", "description is too long (maximum is 140 characters)")
	case utf8.RuneCountInString(context) > 255 || context == "":
		g.invalid(w, "Status", "context", "custom", "context is too long (maximum is 255 characters)")
	case in.TargetURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https"):
		g.invalid(w, "Status", "target_url", "custom", "target_url must use http(s) scheme")
	case f.full(sha, context):
		g.invalid(w, "Status", "", "custom", "This SHA and context has reached the maximum number of statuses.")
	default:
		s := Status{
			ID: f.id(), SHA: sha, Context: context, State: *in.State, Description: in.Description,
			TargetURL: in.TargetURL, Creator: login(r), At: f.now(),
		}
		f.statuses = append(f.statuses, s)
		reply(w, http.StatusCreated, map[string]any{
			"id": s.ID, "state": s.State, "description": s.Description, "context": s.Context,
			"target_url": s.TargetURL, "creator": g.user(s.Creator), "created_at": stamp(s.At),
		})
	}
}

func (g github) permission(f *Forge, w http.ResponseWriter, r *http.Request) {
	user := r.PathValue("user")
	role, known := f.roles[user]
	if !known {
		g.refuse(w, http.StatusNotFound, user+" is not a user")
		return
	}
	// The old word knows neither maintain nor triage.
	old := map[string]string{"": "none", "triage": "read", "maintain": "write"}
	permission, ok := old[role]
	if !ok {
		permission = role
	}
	if role == "" {
		role = "none"
	}
	reply(w, http.StatusOK, map[string]any{"permission": permission, "role_name": role, "user": g.user(user)})
}

func (g github) commentJSON(f *Forge, p *Pull, c *Comment) map[string]any {
	return map[string]any{
		"id": c.ID, "body": c.Body, "user": g.user(c.Author), "created_at": stamp(c.Created), "updated_at": stamp(c.Updated),
		"html_url":  fmt.Sprintf("%s/%s/pull/%d#issuecomment-%d", f.URL, f.Repository, p.Number, c.ID),
		"issue_url": fmt.Sprintf("%s%s/repos/%s/issues/%d", f.URL, g.prefix(), f.Repository, p.Number),
	}
}

func (g github) listComments(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	out := []any{}
	for i := range p.Comments {
		out = append(out, g.commentJSON(f, p, &p.Comments[i]))
	}
	reply(w, http.StatusOK, page(f, w, r, out, "per_page", 30))
}

// body reads and checks a comment's body.
func (g github) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Body *string `json:"body"`
	}
	if !g.decode(w, r, &in) {
		return "", false
	}
	switch {
	case in.Body == nil || strings.TrimSpace(*in.Body) == "":
		g.invalid(w, "IssueComment", "body", "missing_field", "")
	case utf8.RuneCountInString(*in.Body) > 65536:
		g.invalid(w, "IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)")
	default:
		return *in.Body, true
	}
	return "", false
}

func (g github) createComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if body, ok := g.body(w, r); ok {
		reply(w, http.StatusCreated, g.commentJSON(f, p, f.comment(p, login(r), body)))
	}
}

func (g github) theComment(f *Forge, w http.ResponseWriter, r *http.Request) (*Pull, *Comment) {
	p, c := f.findComment(int64(number(r, "id")))
	if c == nil {
		g.refuse(w, http.StatusNotFound, "Not Found")
	}
	return p, c
}

func (g github) getComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	if p, c := g.theComment(f, w, r); c != nil {
		reply(w, http.StatusOK, g.commentJSON(f, p, c))
	}
}

func (g github) editComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p, c := g.theComment(f, w, r)
	if c == nil {
		return
	}
	if body, ok := g.body(w, r); ok {
		c.Body, c.Updated, c.Edits = body, f.now(), c.Edits+1
		reply(w, http.StatusOK, g.commentJSON(f, p, c))
	}
}

func (g github) deleteComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p, c := g.theComment(f, w, r)
	if c == nil {
		return
	}
	id := c.ID
	p.Comments = slices.DeleteFunc(p.Comments, func(c Comment) bool { return c.ID == id })
	w.WriteHeader(http.StatusNoContent)
}
