package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/webhook"
)

// page is one page of the dashboard: where it is and who may read it. What it
// shows is read by build, as often as it is asked for or its open copies are
// looked after.
type page struct {
	path  string
	who   access
	build pageFunc
}

// pageFunc reads what a page shows. The context is of a request for the page, or
// of a stream that looks after an open one: path, parameters, query and caller
// are those of the page in both.
type pageFunc func(c echo.Context) (web.Page, error)

// pages is every page there is.
func (a *API) pages() []page {
	return []page{
		{"/", everybody, a.overviewPage},
		{"/profiles", everybody, a.profilesPage},
		{"/profiles/:name", everybody, a.profilePage},
		{"/profiles/:name/versions", everybody, a.versionsPage},
		{"/profiles/:name/versions/:version", everybody, a.versionPage},
		{"/profiles/:name/diff", everybody, a.diffPage},
		{"/profiles/:name/release", everybody, a.releasePage},
		{"/deployments", everybody, a.deploymentsPage},
		{"/deployments/:id", everybody, a.deploymentPage},
		{"/deployments/:id/report", everybody, a.reportPage},
		{"/instances", everybody, a.instancesPage},
		{"/instances/:id", everybody, a.instancePage},
		{"/sources", everybody, a.sourcesPage},
		{"/sources/:id", everybody, a.sourcePage},
		{"/schemas", everybody, a.schemasPage},
		{"/schemas/:id", everybody, a.schemaPage},
		{"/audit", everybody, a.auditLogPage},
		{"/tokens", admin, a.tokensPage},
		{"/tokens/:id/revoke", admin, a.revokePage},
		{"/account", everybody, a.accountPage},
	}
}

// pageReads is how often one person may open a page in a minute.
const pageReads = 120

// dashboard are the doors of the pages and of their forms.
func (a *API) dashboard() []route {
	var all []route
	for _, p := range a.pages() {
		all = append(all, route{"GET", p.path, p.who, pageReads, 0, prompt, a.shows(p.build)})
	}
	return append(all, a.forms()...)
}

// forms are the doors of the forms on the pages.
func (a *API) forms() []route {
	return slices.Concat(
		a.profileForms(), a.deploymentForms(), a.sourceForms(), a.schemaForms(), a.tokenForms(), a.accountForms(), a.freezeForms(),
	)
}

// shows is the handler of a page.
func (a *API) shows(build pageFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := build(c)
		if err != nil {
			return err
		}
		return a.showPage(c, http.StatusOK, p, nil)
	}
}

// submits is the handler of a form: act carries out what it asks and says which
// page to go to. Where it refuses, the page that the form is on is shown again
// with why.
func (a *API) submits(build pageFunc, act func(c echo.Context) (to string, err error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		to, err := act(c)
		if err == nil {
			return c.Redirect(http.StatusSeeOther, to)
		}
		return a.refuse(c, build, err)
	}
}

// refuse shows the page that a form is on, with why the form did not do.
func (a *API) refuse(c echo.Context, build pageFunc, err error) error {
	refused := a.explain(c, err)
	if refused.status >= http.StatusInternalServerError || !forPeople(c) {
		return err
	}
	p, err := build(c)
	if err != nil {
		return refused // the page is gone as well: what was refused says more
	}
	notice := &web.Notice{Text: sentence(refused.message), Details: linesOf(refused)}
	if p.Live { // what was refused is to be read in peace
		p.Live, notice.Now = false, pageBehind(c)
	}
	return a.showPage(c, refused.status, p, notice)
}

func (a *API) showPage(c echo.Context, status int, p web.Page, notice *web.Notice) error {
	f, err := a.frame(c, p)
	if err != nil {
		return err
	}
	f.Notice = notice
	if f.Mark, _, err = content(f); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := f.Render(&b); err != nil {
		return err
	}
	return htmlUnder(c, dashboardPolicy, status, b.Bytes())
}

// content is what is inside a page, and its mark: another byte, another mark.
func content(f web.Frame) (mark string, main []byte, err error) {
	var b bytes.Buffer
	if err := f.RenderMain(&b); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:12]), b.Bytes(), nil
}

// frame puts a page into its surroundings.
func (a *API) frame(c echo.Context, p web.Page) (web.Frame, error) {
	f := web.Frame{Page: p, Viewer: viewer(who(c)), Path: c.Request().URL.RequestURI()}
	f.At = a.opts.Store.Clock()
	frozen, err := a.opts.Store.Freeze(c.Request().Context())
	if err != nil {
		return f, err
	}
	if now := a.opts.Store.Clock(); frozen.InForce(now) {
		f.Freeze = &web.Freeze{Reason: frozen.Reason, Actor: frozen.Actor, Until: maybe(frozen.ExpiresAt)}
	}
	return f, nil
}

func viewer(by caller) web.Viewer {
	may := func(door access) bool { return door(&by, nil) }
	v := web.Viewer{
		Name: by.name, Role: string(by.role), SignedIn: by.session != nil, Narrowed: !by.scope.Everything(),
		Operates: may(operator), Administers: may(admin), Profiles: by.scope.Profiles,
	}
	for _, environment := range by.scope.Environments {
		v.Environments = append(v.Environments, string(environment))
	}
	return v
}

// isPage says that a door is for people and their browsers: it is not described
// as the API is, and answers errors as a page.
func isPage(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/health", "/metrics", "/openapi.json", "/docs", "/assets/docs.css", ssoPath, ssoCallback, webhook.Path + ":forge":
		return false
	}
	return !strings.HasPrefix(path, below)
}

// forPeople says that a browser waits for a page, and not a program for data.
func forPeople(c echo.Context) bool {
	r := c.Request()
	return strings.Contains(r.Header.Get(echo.HeaderAccept), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/")
}

// answerPage tells a person what went wrong, and has nobody in particular sign in.
func (a *API) answerPage(c echo.Context, p *problem) {
	var err error
	if p.status == http.StatusUnauthorized {
		to := "/login?next=" + url.QueryEscape(pageBehind(c))
		if c.Request().Method == http.MethodPost {
			to += "&undone=yes"
		}
		err = c.Redirect(http.StatusSeeOther, to)
	} else {
		err = a.problemPage(c, p)
	}
	if err != nil {
		a.log.DebugContext(c.Request().Context(), "an error could not be shown", "error", err)
	}
}

// problemPage is shown without a look at the store, which may be what is away.
func (a *API) problemPage(c echo.Context, p *problem) error {
	f := web.Frame{Viewer: viewer(who(c)), Path: c.Request().URL.RequestURI(), Page: web.Page{
		Title: http.StatusText(p.status), Body: "problem",
		View: web.Problem{
			Status: p.status, Headline: headline(p.status), Message: sentence(p.message), Details: linesOf(p), TraceID: traceID(c),
		},
	}}
	var b bytes.Buffer
	if err := f.Render(&b); err != nil {
		return fmt.Errorf("page of a problem: %w", err)
	}
	return htmlUnder(c, dashboardPolicy, p.status, b.Bytes())
}

// pageBehind is the page to come back to after signing in: the one that was asked
// for, or the one above the form that was sent.
func pageBehind(c echo.Context) string {
	u := c.Request().URL
	if c.Request().Method == http.MethodGet {
		return u.RequestURI()
	}
	if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
		return u.Path[:i]
	}
	return "/"
}

func headline(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "There is nothing here"
	case status == http.StatusForbidden:
		return "This is not for you to do"
	case status == http.StatusTooManyRequests:
		return "Too much at once"
	case status == http.StatusServiceUnavailable:
		return "Sluice cannot answer just now"
	case status >= http.StatusInternalServerError:
		return "Something went wrong"
	}
	return "This could not be done"
}

// linesOf says field by field what a problem is, beside its message.
func linesOf(p *problem) []string {
	lines := convert(p.details, func(d wire.FieldError) string { return d.Field + " " + d.Message })
	return slices.DeleteFunc(lines, func(line string) bool { return line == p.message })
}

// sentence begins a message with a capital: on a page it stands alone.
func sentence(message string) string { return web.Sentence(message) }
