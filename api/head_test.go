package api_test

import (
	"net/http"
	"testing"

	"github.com/sluicehq/sluice/api"
)

// HEAD is GET without the body, for whom GET is: what looks whether a server is well
// often asks so. A stream would not end for it.
func TestHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	viewer := w.tokens[api.Viewer]
	for _, tt := range []struct {
		token, path string
		status      int
	}{
		{"", "//healthz", 200}, {"", "//readyz", 200}, {"", "//health", 200}, {"", "//metrics", 200}, {"", "//login", 200},
		{viewer, "/configs/" + name, 200}, {viewer, "/configs/no-such", 404}, {"", "/configs/" + name, 401},
		{viewer, "/users", 403}, {w.elsewhere(api.Viewer), "/configs/" + name, 404},
		{viewer, "/deployments/x/events", 404}, {viewer, "/instances/x/watch", 404},
	} {
		got, want := w.call(tt.token, http.MethodHead, tt.path, nil), w.call(tt.token, http.MethodGet, tt.path, nil)
		if got.status != tt.status || len(got.body) > 0 {
			t.Errorf("HEAD %s: %d %q, want %d", tt.path, got.status, got.body, tt.status)
		}
		if tt.status == 200 && (got.header.Get("Content-Type") != want.header.Get("Content-Type") || got.header.Get("ETag") != want.header.Get("ETag")) {
			t.Errorf("HEAD %s says %v, GET %v", tt.path, got.header, want.header)
		}
	}
}
