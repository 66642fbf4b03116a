package api_test

import (
	"context"
	"errors"
	"github.com/sluicehq/sluice/rollout"
	"net/http/httptest"
	"time"

	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/store"
)

func userNamed(name string, role api.Role, hash string) store.User {
	return store.User{Name: name, Role: string(role), PasswordHash: hash}
}

func TestProbesAndHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.Degraded = func() map[string]string { return map[string]string{"redis": "away"} }
	})
	w.want(w.call("", "GET", "//healthz", nil), 200)
	ready := w.want(w.call("", "GET", "//readyz", nil), 200)
	if !strings.Contains(string(ready.body), `"degraded"`) || !strings.Contains(string(ready.body), "away") {
		t.Errorf("readyz says %s", ready.body)
	}
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := ready.header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	w.register("one")
	metrics := w.want(w.call("", "GET", "//metrics", nil), 200)
	for _, want := range []string{`sluice_instances{status="Unknown"} 1`, "sluice_configs 0", "sluice_http_request_duration_seconds_count", "sluice_outbox_pending 0"} {
		if !strings.Contains(string(metrics.body), want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	w.api.Drain()
	w.want(w.call("", "GET", "//readyz", nil), 503)
	w.want(w.call("", "GET", "//nowhere", nil), 404, "NOT_FOUND")
	w.want(w.call("", "PATCH", "/configs", nil), 404, "NOT_FOUND")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.tokens[api.Registration]
	for what, body := range map[string]string{
		"no JSON": "{", "an array": "[]", "a wrong type": `{"port": "x"}`, "an unknown field": `{"servicename2": "x"}`, "two values": `{} {}`,
		"nothing": "", "null": "null", "deep": strings.Repeat("[", 30_000),
	} {
		if got := w.call(token, "POST", "/instances", body); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	w.want(w.call(token, "POST", "/instances", `{"hostname":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "PAYLOAD_TOO_LARGE")
	got := w.want(w.call(token, "POST", "/instances", `{"serviceName":"s","hostname":"h\n","environment":"Moon","port":-1}`), 400, "VALIDATION_ERROR")
	for _, field := range []string{"hostname", "environment", "port"} {
		if !strings.Contains(string(got.body), `"field":"`+field+`"`) {
			t.Errorf("%s is not named in %s", field, got.body)
		}
	}
}

// Strangers without end do not fill the memory, and give nobody who used up an
// allowance a fresh one.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.LimitFactor, o.Now = 1, fixed(time.Now())
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	handler := w.api.Handler()
	from := func(address string) int {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/api/v1/authentication/login", strings.NewReader("["))
		w.must(err)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", address)
		out := httptest.NewRecorder()
		handler.ServeHTTP(out, r)
		return out.Code
	}
	for n := range 12 {
		if got := from("192.0.2.1"); (got == 429) != (n >= 10) {
			t.Fatalf("try %d answered %d", n, got)
		}
		// All of one subscriber's IPv6 addresses are one caller.
		if got := from(fmt.Sprintf("2001:db8:1:2::%x", n+1)); (got == 429) != (n >= 10) {
			t.Fatalf("try %d by IPv6 answered %d", n, got)
		}
	}
	for n := range 20_500 {
		from(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255))
	}
	if n := api.LimiterKeys(w.api); n > 20_000 || n == 0 {
		t.Errorf("%d callers are remembered", n)
	}
	if got := from("192.0.2.1"); got != 429 {
		t.Errorf("the flood gave a new allowance: %d", got)
	}
	if got := from("198.51.100.1"); got != 429 {
		t.Errorf("the flood's overflow has no limit: %d", got)
	}
	w.want(w.call(w.tokens[api.Viewer], "GET", "/configs", nil), 200) // who has a token is not bothered
}

// Addresses that a caller makes up get it nothing, with or without a proxy that
// is trusted: what a proxy was told by others does not count.
func TestMadeUpAddresses(t *testing.T) {
	t.Parallel()
	for _, trusted := range [][]netip.Prefix{nil, {netip.MustParsePrefix("127.0.0.0/8")}} {
		w := newWorld(t, func(o *api.Options) { o.LimitFactor, o.Now, o.TrustedProxies = 1, fixed(time.Now()), trusted })
		handler := w.api.Handler()
		through := 0
		for n := range 10_000 {
			r, err := http.NewRequestWithContext(t.Context(), "POST", "/api/v1/authentication/login", strings.NewReader("["))
			w.must(err)
			r.RemoteAddr = "192.0.2.1:1"
			made := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
			if trusted != nil { // the proxy appends whom it saw
				r.RemoteAddr, made = "127.0.0.1:1", made+", 192.0.2.1"
			}
			r.Header.Set("X-Forwarded-For", made)
			r.Header.Set("X-Real-Ip", made)
			r.Header.Set("Forwarded", "for="+made)
			out := httptest.NewRecorder()
			if handler.ServeHTTP(out, r); out.Code != 429 {
				through++
			}
		}
		if through != 10 || api.LimiterKeys(w.api) > 2 {
			t.Errorf("trusting %v, %d tries came through and %d callers are remembered", trusted, through, api.LimiterKeys(w.api))
		}
	}
}

func fixed(now time.Time) func() time.Time { return func() time.Time { return now } }

// A handler that panics answers for itself alone, says nothing of why, and is counted.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.SyncSource = func(string) bool { panic("s3cret") } })
	got := w.want(w.call(w.tokens[api.Operator], "POST", "/sources/configs/sync", nil), 500, "INTERNAL_ERROR")
	if strings.Contains(string(got.body), "s3cret") {
		t.Errorf("the answer tells why: %s", got.body)
	}
	metrics := w.want(w.call("", "GET", "//metrics", nil), 200)
	if !strings.Contains(string(metrics.body), `route="/api/v1/sources/:id/sync",status="500"`) {
		t.Error("the panic is not counted")
	}
}

// What goes wrong inside is told to the log and not to the caller.
func TestInternalErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := fmt.Errorf("connect to postgres://sluice:s3cret@db: %w", errors.New("refused"))
	if status, text := api.Explain(w.api, err); status != 500 || strings.Contains(text, "s3cret") {
		t.Errorf("told as %d %s", status, text)
	}
	for _, known := range []struct {
		err    error
		status int
	}{
		{store.ErrStopped, 503}, {context.DeadlineExceeded, 503}, {rollout.ErrStale, 409}, {store.ErrExists, 409}, {store.ErrAmbiguous, 400},
		{store.ErrNotFound, 404}, {rollout.ErrNotFound, 404}, {rollout.ErrNoWayBack, 409}, {&http.MaxBytesError{}, 413},
	} {
		if status, _ := api.Explain(w.api, fmt.Errorf("do something: %w", known.err)); status != known.status {
			t.Errorf("%v is told as %d, want %d", known.err, status, known.status)
		}
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := api.New(api.Options{}); err == nil {
		t.Error("an API without parts was built")
	}
}
