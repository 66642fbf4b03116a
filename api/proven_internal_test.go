package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/store"
)

// Only whom a token was found to name an operator goes ahead before it is looked up again, and
// no longer than that is so.
func TestATokenThatIsProvenGoesAheadAtOnce(t *testing.T) {
	t.Parallel()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", nil), httptest.NewRecorder())
	for _, step := range []struct {
		name  string
		found *caller
		want  bool
	}{
		{"a viewer", &caller{role: Viewer}, false},
		{"an operator", &caller{role: Operator}, true},
		{"an operator who is none any more", &caller{role: Developer}, false},
		{"an admin", &caller{role: Admin}, true},
		{"a token that was revoked", nil, false},
		{"an instance", &caller{instance: &fleet.Instance{}}, false},
	} {
		p := newProven()
		if p.has("slu_token") || p.has("") {
			t.Fatal("a token that nobody came in with is proven")
		}
		p.learn("slu_token", &caller{role: Operator}, c)
		if p.learn("slu_token", step.found, c); p.has("slu_token") != step.want || p.has("slu_another") {
			t.Errorf("%s: proven is %t, want %t", step.name, !step.want, step.want)
		}
	}
}

// An order with such a token is let by before it is looked up whose it is, and any other not
// yet. Doors that are no orders' hold up nobody.
func TestOrdersAreLetByFromTheDoorOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, token string
		r           route
		want        bool
	}{
		{"an order", "slu_proven", route{method: http.MethodPost, pace: urgent}, true},
		{"a stranger's", "slu_another", route{method: http.MethodPost, pace: urgent}, false},
		{"one that only looks", "slu_proven", route{method: http.MethodGet, pace: urgent}, false},
		{"no order", "slu_proven", route{method: http.MethodPost, pace: prompt}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &API{proven: newProven(), opts: Options{Store: &store.Store{}}}
				r := httptest.NewRequestWithContext(store.Urgent(t.Context()), c.r.method, "/", nil)
				r.Header.Set(echo.HeaderAuthorization, "Bearer "+c.token)
				request := echo.New().NewContext(r, httptest.NewRecorder())
				a.proven.learn("slu_proven", &caller{role: Operator}, request)
				began := time.Now()
				next := func(echo.Context) error {
					a.opts.Store.LetBy(t.Context())
					return nil
				}
				if err := a.aheadAtOnce(c.r)(next)(request); err != nil {
					t.Error(err)
				}
				if waits := time.Since(began) > 0; waits != c.want {
					t.Errorf("others wait for it: %t", waits)
				}
			})
		})
	}
}

// Readers let orders by, and those who wait for nobody do not.
func TestReadersLetOrdersBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &API{opts: Options{Store: &store.Store{}}, crowd: make(crowd, 1)}
		const lasts = 20 * time.Millisecond
		for _, c := range []struct {
			r    route
			want time.Duration
		}{
			{route{method: http.MethodGet, pace: prompt, perMinute: 1}, lasts},
			{route{method: http.MethodGet, pace: prompt}, 0}, // a probe
			{route{method: http.MethodGet, pace: waiting, perMinute: 1}, 0},
		} {
			began, over := time.Now(), a.opts.Store.Ahead(store.Urgent(t.Context()))
			time.AfterFunc(lasts, over)
			request := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), c.r.method, "/", nil), httptest.NewRecorder())
			if err := a.inTurn(c.r)(func(echo.Context) error { return nil })(request); err != nil {
				t.Error(err)
			}
			if waited := time.Since(began); waited != c.want {
				t.Errorf("%+v waited %s, want %s", c.r, waited, c.want)
			}
			over()
		}
	})
}
