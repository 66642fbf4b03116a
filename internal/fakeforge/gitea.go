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
)

// gitea speaks like a Gitea or Forgejo server.
type gitea struct{}

func init() { dialects[Gitea] = gitea{} }

func (gitea) prefix() string            { return "/api/v1" }
func (gitea) pullRef(number int) string { return fmt.Sprintf("refs/pull/%d/head", number) }

func (gitea) who(f *Forge, r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return f.Me, (strings.EqualFold(scheme, "token") || strings.EqualFold(scheme, "bearer")) && token == f.Token
}

// refuse answers as Gitea does. It has no limits of its own: those that are
// turned on here are of the proxy before it, which answers 429.
func (gitea) refuse(w http.ResponseWriter, status int, message string) {
	if status == http.StatusForbidden && strings.Contains(message, "rate limit") {
		http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
		return
	}
	reply(w, status, map[string]any{"message": message, "url": "http://forge.example.com/api/swagger"})
}

func (gitea) showQuota(h http.Header, q quota) {
	if q.remaining <= 0 {
		h.Set("Retry-After", waitSeconds(h, q))
	}
}

// waitSeconds is how long the quota stays spent, by the forge's clock.
func waitSeconds(h http.Header, q quota) string {
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return "1"
	}
	return strconv.Itoa(max(int(q.reset.Sub(now)/time.Second), 1))
}

// missing is Gitea's word for anything that is not there.
func (g gitea) missing(w http.ResponseWriter) {
	g.refuse(w, http.StatusNotFound, "The target couldn't be found.")
}

// broken is how Gitea answers what went wrong inside: why, it tells nobody but administrators.
func (g gitea) broken(w http.ResponseWriter) { g.refuse(w, http.StatusInternalServerError, "") }

func (g gitea) decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		g.refuse(w, http.StatusUnprocessableEntity, "[]: Empty Content-Type")
		return false
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		g.refuse(w, http.StatusUnprocessableEntity, err.Error())
		return false
	}
	return true
}

func (g gitea) mux(f *Forge) http.Handler {
	mux := http.NewServeMux()
	// rank is the least role that a route asks of the token's owner.
	route := func(pattern, rank string, h func(f *Forge, w http.ResponseWriter, r *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /repos/{owner}/{repo}"+path, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.EqualFold(r.PathValue("owner")+"/"+r.PathValue("repo"), f.Repository):
				g.missing(w)
			case rankOf(f.roles[login(r)]) < rankOf(rank):
				g.refuse(w, http.StatusForbidden, "user should have a permission to write to a repo")
			default:
				h(f, w, r)
			}
		})
	}
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, g.user(login(r))) })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"version": "1.25.2"})
	})
	route("POST /statuses/{sha}", "write", g.postStatus)
	route("GET /git/commits/{sha}", "read", g.getCommit)
	route("GET /git/refs/{ref...}", "read", g.getRef)
	route("GET /commits/{sha}/pull", "read", g.commitPull)
	route("GET /pulls", "read", g.listPulls)
	route("POST /pulls", "read", g.createPull)
	route("GET /pulls/{number}", "read", g.getPull)
	route("GET /pulls/{number}/files", "read", g.listFiles)
	route("GET /pulls/{number}/reviews", "read", g.listReviews)
	route("POST /pulls/{number}/reviews", "read", g.createReview)
	route("GET /issues/{number}/comments", "read", g.listComments)
	route("POST /issues/{number}/comments", "read", g.createComment)
	route("GET /comment/{id}", "read", g.getComment)
	route("PATCH /comment/{id}", "read", g.editComment)
	route("GET /collaborators/{user}/permission", "read", g.permission)
	route("GET /branches/{branch...}", "read", g.getBranch)
	route("POST /branches", "write", g.createBranch)
	route("GET /contents/{path...}", "read", g.getContents)
	route("POST /contents", "write", g.changeFiles)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { g.missing(w) })
	// A mux of patterns cannot tell issues/comments/7 from issues/7/comments.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/issues/comments/") {
			r.URL.Path, r.URL.RawPath = strings.Replace(r.URL.Path, "/issues/comments/", "/comment/", 1), ""
		}
		mux.ServeHTTP(w, r)
	})
}

func (gitea) user(login string) map[string]any {
	return map[string]any{
		"id": userID(login), "login": login, "username": login, "full_name": "", "email": login + "@noreply.example.com",
		"active": true, "visibility": "public", "last_login": "1970-01-01T00:00:00Z", "created": "2026-01-01T00:00:00Z",
	}
}

var objectName = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

func (g gitea) postStatus(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		State       string `json:"state"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Context     string `json:"context"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	sha := f.resolve(r.PathValue("sha"))
	switch {
	case sha == "":
		g.broken(w) // it says so of a commit that it does not have
	case !slices.Contains([]string{"pending", "success", "error", "failure", "warning"}, in.State):
		g.refuse(w, http.StatusUnprocessableEntity, "invalid state")
	case f.full(sha, in.Context):
		g.refuse(w, http.StatusUnprocessableEntity, "too many statuses") // the real one has no such bound
	default:
		s := Status{
			ID: f.id(), SHA: sha, Context: in.Context, State: in.State, Description: in.Description,
			TargetURL: in.TargetURL, Creator: login(r), At: f.now(),
		}
		f.statuses = append(f.statuses, s)
		reply(w, http.StatusCreated, map[string]any{
			"id": s.ID, "status": s.State, "target_url": s.TargetURL, "description": s.Description, "context": s.Context,
			"url":     fmt.Sprintf("%s/api/v1/repos/%s/statuses/%s", f.URL, f.Repository, sha),
			"creator": g.user(s.Creator), "created_at": stamp(s.At), "updated_at": stamp(s.At),
		})
	}
}

func (g gitea) permission(f *Forge, w http.ResponseWriter, r *http.Request) {
	user := r.PathValue("user")
	role, known := f.roles[user]
	switch {
	case f.roles[login(r)] != "admin" && !strings.EqualFold(login(r), user):
		g.refuse(w, http.StatusForbidden, "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own")
		return
	case !known:
		g.refuse(w, http.StatusNotFound, "user does not exist [uid: 0, name: "+user+"]")
		return
	}
	// Gitea knows three roles.
	words := map[string]string{"": "none", "triage": "read", "maintain": "write"}
	if word, ok := words[role]; ok {
		role = word
	}
	reply(w, http.StatusOK, map[string]any{"permission": role, "role_name": role, "user": g.user(user)})
}

func (g gitea) commentJSON(f *Forge, p *Pull, c *Comment) map[string]any {
	page := fmt.Sprintf("%s/%s/pulls/%d", f.URL, f.Repository, p.Number)
	return map[string]any{
		"id": c.ID, "body": c.Body, "user": g.user(c.Author), "created_at": stamp(c.Created), "updated_at": stamp(c.Updated),
		"html_url": fmt.Sprintf("%s#issuecomment-%d", page, c.ID), "pull_request_url": page, "issue_url": "",
		"original_author": "", "original_author_id": 0, "assets": []any{},
	}
}

// listComments gives all at once, whatever page is asked for.
func (g gitea) listComments(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w)
		return
	}
	out := []any{}
	for i := range p.Comments {
		out = append(out, g.commentJSON(f, p, &p.Comments[i]))
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(out)))
	reply(w, http.StatusOK, out)
}

// body reads and checks a comment's body.
func (g gitea) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	if !g.decode(w, r, &in) {
		return "", false
	}
	if in.Body == "" {
		g.refuse(w, http.StatusUnprocessableEntity, "[Body]: Required")
		return "", false
	}
	return in.Body, true
}

func (g gitea) createComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p := f.pull(number(r, "number"))
	if p == nil {
		g.missing(w)
		return
	}
	if body, ok := g.body(w, r); ok {
		reply(w, http.StatusCreated, g.commentJSON(f, p, f.comment(p, login(r), body)))
	}
}

func (g gitea) getComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p, c := f.findComment(int64(number(r, "id")))
	if c == nil {
		g.missing(w)
		return
	}
	reply(w, http.StatusOK, g.commentJSON(f, p, c))
}

func (g gitea) editComment(f *Forge, w http.ResponseWriter, r *http.Request) {
	p, c := f.findComment(int64(number(r, "id")))
	switch {
	case c == nil:
		g.missing(w)
		return
	case c.Author != login(r) && rankOf(f.roles[login(r)]) < rankOf("write"):
		g.refuse(w, http.StatusForbidden, "")
		return
	}
	if body, ok := g.body(w, r); ok {
		c.Body, c.Updated, c.Edits = body, f.now(), c.Edits+1
		reply(w, http.StatusOK, g.commentJSON(f, p, c))
	}
}

// noLinks is a list whose end only its total count tells.
func noLinks(w http.ResponseWriter) {
	w.Header().Del("Link")
	w.Header().Del("X-Next-Page")
}

// escaped is a path as Gitea writes it into addresses.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }
