package api_test

import (
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

// Callers without end do not fill the memory.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.LimitFactor = 1
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	handler := w.api.Handler()
	for n := range 20_500 {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/api/v1/authentication/login", strings.NewReader("["))
		w.must(err)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255))
		handler.ServeHTTP(discard{http.Header{}}, r)
	}
	if n := api.LimiterKeys(w.api); n > 20_000 || n == 0 {
		t.Errorf("%d callers are remembered", n)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := api.New(api.Options{}); err == nil {
		t.Error("an API without parts was built")
	}
}
