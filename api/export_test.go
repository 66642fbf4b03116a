package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// RoutesOf lists the doors that the router really has. HEAD is at the doors of GET.
func RoutesOf(a *API) []*echo.Route {
	var routes []*echo.Route
	for _, r := range a.echo.Routes() {
		if r.Method != echo.RouteNotFound && r.Method != http.MethodHead {
			routes = append(routes, r)
		}
	}
	return routes
}

// LimiterKeys is how many callers the limiter of strangers remembers.
func LimiterKeys(a *API) int { return a.strangers.(*coord.Minutes).Keys() }

// Readers is how many streams and polls are open.
func Readers(a *API) int { return a.marks.readers() }

// Wakes are the wake-ups that a stream of the instance would get.
func Wakes(a *API, instanceID string) (wakes <-chan struct{}, stop func()) {
	w := a.marks.join(instanceID)
	return w.wake, func() { a.marks.leave(w) }
}

// Watching says that somebody looks at the store for streams and polls.
func Watching(a *API) bool {
	a.marks.mu.Lock()
	defer a.marks.mu.Unlock()
	return a.marks.running
}

// Wake makes the streams of an instance look at the store.
func Wake(a *API, instanceID string) { a.marks.doubt(instanceID) }

// DoorsOf lists the doors of one pace: prompt, urgent or waiting.
func DoorsOf(a *API, name string) []string {
	p := map[string]pace{"prompt": prompt, "urgent": urgent, "waiting": waiting}[name]
	var doors []string
	for _, r := range a.list() {
		if r.pace == p {
			doors = append(doors, r.method+" "+r.path)
		}
	}
	return doors
}

// Spread is within what time so many readers are asked to come back.
var Spread = spread

// Explain is what a caller is told of an error.
func Explain(a *API, err error) (status int, text string) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	p := a.explain(a.echo.NewContext(r, httptest.NewRecorder()), err)
	return p.status, p.code + p.message
}

// DecodeSchema is what the server makes of the body of a registration.
func DecodeSchema(body string) (e profile.SchemaEdition, status int, err error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	var req wire.RegisterSchemaRequest
	var definition []byte
	if err = decode(echo.New().NewContext(r, httptest.NewRecorder()), &req); err == nil {
		if definition, err = textOrObject("schemaDefinition", req.SchemaDefinition); err == nil {
			if e, _, err = profile.NewEdition(profile.Draft{ID: req.SchemaID, Version: req.Version, Definition: definition, Compatibility: profile.Compatibility(req.Compatibility)}, nil); err != nil {
				err = refusedDraft(err)
			}
		}
	}
	if p, ok := errors.AsType[*problem](err); ok {
		status = p.status
	}
	return e, status, err
}

// DecodeTree is what the server makes of the body of a validation.
func DecodeTree(body string) (files map[string][]byte, status int, err error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	var req wire.ValidateRequest
	if err = decode(echo.New().NewContext(r, httptest.NewRecorder()), &req); err == nil {
		files, err = filesOf(&req)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		status = p.status
	}
	return files, status, err
}

// DecodeHeartbeat is what the server makes of a heartbeat's body.
func DecodeHeartbeat(body string) (s fleet.Sample, status int, err error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	var req wire.HeartbeatRequest
	if err = decodeKnown(echo.New().NewContext(r, httptest.NewRecorder()), &req); err == nil {
		s, err = sampleOf(req.Health)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		status = p.status
	}
	return s, status, err
}

// Demoted says whether the token of a request that comes from the address to an
// urgent door is looked up with everybody else's.
func Demoted(a *API, address string) bool {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", http.NoBody)
	r.RemoteAddr = address + ":1234"
	c := a.echo.NewContext(r, httptest.NewRecorder())
	c.Set(paceKey, urgent)
	return a.lookUpContext(c) != r.Context()
}

// Uploaded is what the server makes of a body's configData; status is that of a refusal.
func Uploaded(raw []byte) (data profile.Data, status int, err error) {
	data, err = uploaded(raw)
	if p, ok := errors.AsType[*problem](err); ok {
		status = p.status
	}
	return data, status, err
}

// Defined is what the server makes of the body of POST /configs; status is that
// of a refusal.
func Defined(body string) (p profile.Profile, status int, err error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	var req wire.CreateConfigRequest
	if err = decode(echo.New().NewContext(r, httptest.NewRecorder()), &req); err == nil {
		p, err = newDefinition(req).read()
	}
	if refused, ok := errors.AsType[*problem](err); ok {
		status = refused.status
	}
	return p, status, err
}

// Crowd takes every turn of readers until they are given back.
func Crowd(a *API) (giveBack func()) {
	for range cap(a.crowd) {
		a.crowd <- struct{}{}
	}
	return func() {
		for range cap(a.crowd) {
			<-a.crowd
		}
	}
}

// SharedPages is what makes open pages once for many readers.
type SharedPages struct{ pages sharedPages }

// NewSharedPages has none yet.
func NewSharedPages() *SharedPages {
	return &SharedPages{sharedPages{pages: map[string]*sharedPage{}}}
}

// Of makes a page or takes the one just made.
func (s *SharedPages) Of(key string, now, since time.Time, build func() (wire.PageContent, error)) (wire.PageContent, error) {
	return s.pages.of(key, now, since, build)
}

// Hinted is how many clients of other protocols wait.
func Hinted(a *API) int {
	a.hints.mu.Lock()
	defer a.hints.mu.Unlock()
	return len(a.hints.waiting)
}

// Verifying is somebody who has the audit log verified, until released.
func Verifying(a *API) (release func()) {
	a.verifying <- struct{}{}
	return func() { <-a.verifying }
}
