package fakeforge

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// App is a GitHub App that is installed on the repository.
type App struct {
	ID           int64
	Installation int64
	Slug         string
	PrivateKey   []byte // PEM

	key    *rsa.PrivateKey
	tokens map[string]time.Time // until when
	issued int
}

// appKey is made once: making one takes longer than a test.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// InstallApp installs an app on the repository.
func (f *Forge) InstallApp() *App {
	f.t.Helper()
	key, err := appKey()
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.app = &App{
		ID: 4711, Installation: 815, Slug: "sluice-app", key: key, tokens: map[string]time.Time{},
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}
	return f.app
}

// RevokeAppTokens makes all installation tokens so far worthless.
func (f *Forge) RevokeAppTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.app.tokens)
}

// AppTokens counts the installation tokens that were given.
func (f *Forge) AppTokens() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.app.issued
}

// login is the user that the app acts as, "-" where there is no app.
func (a *App) login() string {
	if a == nil {
		return "-"
	}
	return a.Slug + "[bot]"
}

// knows says whether a token was given and is still good.
func (a *App) knows(token string) bool {
	if a == nil {
		return false
	}
	_, ok := a.tokens[token]
	return ok
}

// who is the app itself, at the doors that take its own signature alone, or
// its installation.
func (a *App) who(scheme, token, path string, now time.Time) (string, bool) {
	if a == nil {
		return "", false
	}
	if until, ok := a.tokens[token]; ok {
		return a.login(), now.Before(until) && !a.own(path)
	}
	return a.login(), a.own(path) && scheme == "Bearer" && a.signed(token, now)
}

func (a *App) own(path string) bool {
	path = strings.TrimPrefix(path, github{}.prefix())
	return path == "/app" || strings.HasPrefix(path, "/app/") || strings.HasSuffix(path, "/installation")
}

// signed checks a JSON web token as GitHub does: ten minutes at most.
func (a *App) signed(token string, now time.Time) bool {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithIssuer(strconv.FormatInt(a.ID, 10)))
	return err == nil && claims.IssuedAt != nil && !claims.ExpiresAt.After(now.Add(10*time.Minute))
}

func (g github) appRoutes(f *Forge, mux *http.ServeMux, route func(string, string, func(*Forge, http.ResponseWriter, *http.Request))) {
	mux.HandleFunc("GET /app", func(w http.ResponseWriter, _ *http.Request) {
		if f.app == nil {
			g.refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
			return
		}
		reply(w, http.StatusOK, map[string]any{"id": f.app.ID, "slug": f.app.Slug, "name": "Sluice"})
	})
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		if f.app == nil || number(r, "id") != int(f.app.Installation) {
			g.refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		f.app.issued++
		token, until := fmt.Sprintf("ghs_installation-canary-%d", f.app.issued), f.now().Add(time.Hour)
		f.app.tokens[token] = until
		reply(w, http.StatusCreated, map[string]any{"token": token, "expires_at": stamp(until)})
	})
	route("GET /installation", "", func(f *Forge, w http.ResponseWriter, _ *http.Request) {
		if f.app == nil {
			g.refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		reply(w, http.StatusOK, map[string]any{"id": f.app.Installation, "app_id": f.app.ID})
	})
	route("GET /commits/{sha}/check-runs", "read", g.listCheckRuns)
	route("POST /check-runs", "read", g.createCheckRun)
	route("PATCH /check-runs/{id}", "read", g.updateCheckRun)
}

// checkRun is what is sent to make or change a check run.
type checkRun struct {
	Name       string `json:"name"`
	HeadSHA    string `json:"head_sha"`
	ExternalID string `json:"external_id"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Output     *struct {
		Title       string `json:"title"`
		Summary     string `json:"summary"`
		Annotations []struct {
			Path      string `json:"path"`
			StartLine int    `json:"start_line"`
			EndLine   int    `json:"end_line"`
			Level     string `json:"annotation_level"`
			Message   string `json:"message"`
		} `json:"annotations"`
	} `json:"output"`
}

func (g github) checkRunJSON(f *Forge, c CheckRun) map[string]any {
	return map[string]any{
		"id": c.ID, "name": c.Name, "head_sha": c.SHA, "external_id": c.ExternalID, "status": c.Status,
		"conclusion": c.Conclusion, "app": map[string]any{"id": f.app.ID, "slug": f.app.Slug},
		"output": map[string]any{"summary": c.Summary, "annotations_count": len(c.Annotations)},
	}
}

func (g github) listCheckRuns(f *Forge, w http.ResponseWriter, r *http.Request) {
	out := []any{}
	for _, c := range f.checks {
		if name := r.URL.Query().Get("check_name"); c.SHA == r.PathValue("sha") && (name == "" || name == c.Name) {
			out = append(out, g.checkRunJSON(f, c))
		}
	}
	total := len(out)
	reply(w, http.StatusOK, map[string]any{"total_count": total, "check_runs": page(f, w, r, out, "per_page", 30)})
}

func (g github) createCheckRun(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in checkRun
	if !g.decode(w, r, &in) {
		return
	}
	switch {
	case login(r) != f.app.login():
		g.refuse(w, http.StatusForbidden, "You must authenticate via a GitHub App.")
	case in.Name == "":
		g.invalid(w, "CheckRun", "name", "missing_field", "")
	case f.resolve(in.HeadSHA) == "":
		g.refuse(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+in.HeadSHA)
	default:
		c := CheckRun{ID: f.id(), Name: in.Name, SHA: in.HeadSHA}
		if g.fill(w, &c, in) {
			f.checks = append(f.checks, c)
			reply(w, http.StatusCreated, g.checkRunJSON(f, c))
		}
	}
}

func (g github) updateCheckRun(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in checkRun
	if !g.decode(w, r, &in) {
		return
	}
	for i := range f.checks {
		if f.checks[i].ID == int64(number(r, "id")) {
			if c := f.checks[i]; g.fill(w, &c, in) {
				f.checks[i] = c
				reply(w, http.StatusOK, g.checkRunJSON(f, c))
			}
			return
		}
	}
	g.refuse(w, http.StatusNotFound, "Not Found")
}

// fill checks and takes what is sent; annotations are added to those before.
func (g github) fill(w http.ResponseWriter, c *CheckRun, in checkRun) bool {
	if in.ExternalID != "" {
		c.ExternalID = in.ExternalID
	}
	if in.Status != "" {
		c.Status = in.Status
	}
	if in.Conclusion != "" {
		c.Conclusion, c.Status = in.Conclusion, "completed"
	}
	if c.Status == "completed" && c.Conclusion == "" {
		g.invalid(w, "CheckRun", "conclusion", "missing_field", "")
		return false
	}
	if in.Output == nil {
		return true
	}
	if in.Output.Title == "" || in.Output.Summary == "" || len(in.Output.Annotations) > 50 {
		g.invalid(w, "CheckRun", "output", "invalid", "")
		return false
	}
	c.Summary = in.Output.Summary
	for _, a := range in.Output.Annotations {
		if a.Path == "" || a.StartLine < 1 || a.EndLine < a.StartLine || a.Message == "" ||
			a.Level != "notice" && a.Level != "warning" && a.Level != "failure" {
			g.invalid(w, "CheckRun", "annotations", "invalid", "")
			return false
		}
		c.Annotations = append(c.Annotations, Remark{a.Path, a.StartLine, a.Message})
	}
	return true
}
