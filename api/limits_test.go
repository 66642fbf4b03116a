package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
)

// A limit of one operation holds for it and for no other, and is what the
// description of the API says.
func TestLimitsOfOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.LimitFactor, o.Limits = 1, map[string]int{"GET /configs": 2, "POST /instances/{id}/heartbeat": 600}
	})
	w.profile()
	first := w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil), 200)
	if got := first.header.Get("X-RateLimit-Limit"); got != "2" {
		t.Errorf("the limit is %s", got)
	}
	w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil), 200)
	w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil), 429, "RATE_LIMIT_EXCEEDED")
	other := w.want(w.call(w.tokens[api.Viewer], "GET", "/sources", nil), 200)
	if got := other.header.Get("X-RateLimit-Limit"); got != "30" {
		t.Errorf("the limit of another operation is %s", got)
	}
}

func TestLimitsThatHoldNothing(t *testing.T) {
	t.Parallel()
	var opts api.Options
	newWorld(t, func(o *api.Options) { opts = *o })
	opts.Limits = map[string]int{"POST /config": 1, "GET /instances/{id}/watch": 1, "GET /configs": 1}
	_, err := api.New(opts)
	if err == nil || !strings.Contains(err.Error(), `no operation "POST /config"`) || !strings.Contains(err.Error(), `"GET /instances/{id}/watch" has no limit`) ||
		strings.Contains(err.Error(), `"GET /configs"`) {
		t.Errorf("error is %v", err)
	}
}

func TestSessionLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.SessionLife = time.Hour })
	hash, err := api.HashPassword(password)
	w.must(err)
	w.must(w.store.CreateUser(t.Context(), userNamed("ann", api.Viewer, hash)))
	var in wire.LoginResponse
	before := time.Now()
	w.want(w.call("", "POST", "/authentication/login", wire.LoginRequest{Username: "ann", Password: password}), 200).into(t, &in)
	if life := in.ExpiresAt.Sub(before); life < 59*time.Minute || life > 61*time.Minute {
		t.Errorf("a session lives for %s", life)
	}
}
