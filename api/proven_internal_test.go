package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/fleet"
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

// Orders alone go ahead: what is only looked at by an urgent door waits as ever.
func TestOrdersGoAhead(t *testing.T) {
	t.Parallel()
	errHere := errors.New("it came here")
	for _, c := range []struct {
		r    route
		want bool
	}{
		{route{method: http.MethodPost, pace: urgent}, true},
		{route{method: http.MethodGet, pace: urgent}, false},
		{route{method: http.MethodPost, pace: prompt}, false},
	} {
		if c.r.orders() != c.want {
			t.Errorf("%s at pace %v is for orders: %t", c.r.method, c.r.pace, !c.want)
		}
		next := func(echo.Context) error { return errHere }
		a := &API{proven: newProven()}
		request := echo.New().NewContext(httptest.NewRequest(c.r.method, "/", nil), httptest.NewRecorder())
		if err := a.aheadAtOnce(c.r)(next)(request); !errors.Is(err, errHere) {
			t.Errorf("%s was not let on: %v", c.r.method, err)
		}
	}
}
