package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/store"
)

const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"

	maxKey    = 255
	maxAnswer = 256 << 10 // of a body that is kept

	// keepWithin bounds what is written about a key: the answer waits for it.
	keepWithin = time.Second
	// claimUrgent is all that who stops or takes back a change waits for a key.
	claimUrgent = 500 * time.Millisecond
)

// secretAnswers are the writes whose requests or answers hold a secret, of which
// nothing is kept: they take no notice of a key.
var secretAnswers = map[string]bool{
	"POST /api/v1/authentication/login":   true,
	"POST /api/v1/authentication/sso":     true,
	"POST /api/v1/tokens":                 true,
	"POST /api/v1/instances":              true,
	"PUT /api/v1/authentication/password": true,
	"POST /api/v1/users":                  true,
	"PUT /api/v1/users/:username":         true,
	"POST /tokens":                        true,
	"POST /account/password":              true,
}

// takesKey says that a door looks at the key of people and tools.
func takesKey(r route) bool {
	return r.method != http.MethodGet && r.pace != waiting && !secretAnswers[r.method+" "+r.path]
}

// idempotent makes a write with an Idempotency-Key once, however often it is
// asked for: the same request by the same caller gets the same answer.
func (a *API) idempotent(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !takesKey(r) {
			return next
		}
		return func(c echo.Context) error {
			key := c.Request().Header.Get(headerKey)
			by := who(c)
			if key == "" || by.key == "" || by.instance != nil {
				return next(c)
			}
			if len(key) > maxKey || !printable(key) {
				return invalidField(headerKey, "is at most 255 printable characters, such as a UUID")
			}
			claim, err := claimOf(c, by, key)
			if err != nil {
				return err
			}
			answered, err := a.claim(c, claim)
			switch {
			case err != nil && r.pace == urgent && !refusesKey(err):
				a.log.WarnContext(c.Request().Context(), "an urgent request goes on without its idempotency key", "route", r.path, "error", err)
				return next(c)
			case err != nil:
				return keyProblem(c, err)
			case answered != nil:
				return replay(c, *answered)
			}
			return a.keeping(c, r, claim, next)
		}
	}
}

// claimOf names a request by hashes: with the key, which is not kept, nobody can
// find out from the database what was asked for.
func claimOf(c echo.Context, by caller, key string) (store.Claim, error) {
	request := c.Request()
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return store.Claim{}, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	hash := sha256.Sum256([]byte(key))
	print := hmac.New(sha256.New, []byte(key))
	for _, part := range []string{request.Method, request.URL.RequestURI(), request.Header.Get(headerIfMatch), request.Header.Get(headerIfNoneMatch)} {
		print.Write([]byte(part + "\n"))
	}
	print.Write(body)
	return store.Claim{Caller: by.key, KeyHash: hash[:], Fingerprint: print.Sum(nil), Owner: uuid.NewString()}, nil
}

// claim takes the key. On an urgent door it takes no longer than that can wait.
func (a *API) claim(c echo.Context, claim store.Claim) (*store.Answer, error) {
	ctx := c.Request().Context()
	if p, ok := c.Get(paceKey).(pace); ok && p == urgent {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, claimUrgent)
		defer cancel()
	}
	return a.opts.Store.ClaimKey(ctx, claim)
}

func refusesKey(err error) bool {
	return errors.Is(err, store.ErrKeyReused) || errors.Is(err, store.ErrKeyBusy) || errors.Is(err, store.ErrAnswerLost)
}

func keyProblem(c echo.Context, err error) error {
	switch {
	case errors.Is(err, store.ErrKeyReused):
		return &problem{
			status: http.StatusUnprocessableEntity, code: "IDEMPOTENCY_KEY_REUSED",
			message: "this " + headerKey + " was used for another request: take a new one for each",
		}
	case errors.Is(err, store.ErrKeyBusy):
		c.Response().Header().Set("Retry-After", "1")
		return conflict("a request with this " + headerKey + " is under way: ask again in a moment")
	case errors.Is(err, store.ErrAnswerLost):
		return conflict("the request with this " + headerKey + " was carried out, and its answer was lost when the server stopped: look at what is there, and take a new key for another request")
	}
	return err
}

// replay answers what was answered before.
func replay(c echo.Context, a store.Answer) error {
	h := c.Response().Header()
	for name, value := range a.Headers {
		h.Set(name, value)
	}
	h.Set(headerReplayed, "true")
	if len(a.Body) == 0 {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, a.Headers[echo.HeaderContentType], a.Body)
}

// keptHeaders are those that belong to an answer and not to its delivery.
var keptHeaders = []string{echo.HeaderContentType, echo.HeaderLocation, headerETag}

// keeping makes the request, and keeps its answer before it is given.
func (a *API) keeping(c echo.Context, r route, claim store.Claim, next echo.HandlerFunc) error {
	request := c.Request()
	if r.pace != urgent { // what takes back a change is harmless to do twice, and waits for nothing more than it must
		c.SetRequest(request.WithContext(store.Claimed(request.Context(), claim)))
	}
	under := c.Response().Writer
	held := &heldAnswer{header: under.Header()}
	c.Response().Writer = held
	done := false
	defer func() { // a panic is answered by recovered, which knows nothing of this
		if !done {
			c.Response().Writer, c.Response().Committed = under, false
			a.keep(request.Context(), r, func(ctx context.Context) error { return a.opts.Store.GiveBackKey(ctx, claim) })
		}
	}()
	if err := next(c); err != nil {
		c.Error(err)
	}
	done = true
	c.Response().Writer = under
	a.keep(request.Context(), r, func(ctx context.Context) error {
		if held.status >= http.StatusInternalServerError {
			return a.opts.Store.GiveBackKey(ctx, claim)
		}
		return a.opts.Store.AnswerKey(ctx, claim, held.answer())
	})
	under.WriteHeader(held.status)
	_, err := under.Write(held.body.Bytes())
	return err
}

// keep writes about a key; the answer is given whatever becomes of it.
func (a *API) keep(ctx context.Context, r route, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
	defer cancel()
	if err := write(ctx); err != nil {
		a.log.WarnContext(ctx, "the answer of an idempotency key is not kept", "route", r.path, "error", err)
	}
}

// heldAnswer holds an answer back.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is that of the real answer.
func (h *heldAnswer) Header() http.Header { return h.header }

// WriteHeader notes the status.
func (h *heldAnswer) WriteHeader(status int) { h.status = status }

// Write holds a part of the body.
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

// answer is what is kept: nothing of one that is too large.
func (h *heldAnswer) answer() store.Answer {
	if h.body.Len() > maxAnswer {
		return store.Answer{}
	}
	kept := map[string]string{}
	for _, name := range keptHeaders {
		if value := h.header.Get(name); value != "" {
			kept[name] = value
		}
	}
	return store.Answer{Status: h.status, Headers: kept, Body: h.body.Bytes()}
}
