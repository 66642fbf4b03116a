package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

// The health check finds the daemon by the settings that the daemon has, speaks
// https where it does, and says what is wrong in one line.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := pair(t, 1)
	writeFile(t, filepath.Join(dir, "cert"), cert)
	writeFile(t, filepath.Join(dir, "key"), key)
	server, _, stop := startDaemon(t, "--data-dir", filepath.Join(dir, "data"),
		"--tls-cert-file", filepath.Join(dir, "cert"), "--tls-key-file", filepath.Join(dir, "key"))
	c := newConsole(t, nil)
	address := strings.TrimPrefix(server, "http://")
	c.env["SLUICE_LISTEN"] = address
	c.env["SLUICE_TLS_CERT_FILE"] = filepath.Join(dir, "cert")
	c.env["SLUICE_TLS_KEY_FILE"] = filepath.Join(dir, "key")

	c.wants(t, 0, "healthcheck")
	if want := "https://" + address + "/readyz: ok\n"; c.out.String() != want {
		t.Errorf("said %q, want %q", c.out.String(), want)
	}
	c.wants(t, 0, "healthcheck", "--live", "--url", "https://"+address+"/")
	if want := "https://" + address + "/healthz: ok\n"; c.out.String() != want {
		t.Errorf("said %q, want %q", c.out.String(), want)
	}
	c.wants(t, 1, "healthcheck", "--url", "http://"+address)
	if code := stop(); code != 0 {
		t.Fatalf("the daemon ended with %d", code)
	}
	c.wants(t, 1, "healthcheck")
	if got := c.err.String(); !strings.HasPrefix(got, "sluice: https://"+address+"/readyz: ") || strings.Count(got, "\n") != 1 {
		t.Errorf("said %q", got)
	}
}

// Whatever answers is believed only when it answers as the daemon does.
func TestHealthcheckJudges(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		status int
		code   int
		says   string
	}{
		`{"status":"degraded","degraded":{"redis":"is away","database":"takes no writes"}}`: {200, 0, "/readyz: degraded, database takes no writes, redis is away\n"},
		`{"status":"unavailable","unavailable":{"database":"does not answer"}}`:             {503, 1, "/readyz: answered 503, unavailable, database does not answer\n"},
		`{"status":"stopping"}`: {503, 1, "/readyz: answered 503, stopping\n"},
		`<html>welcome</html>`:  {200, 1, "/readyz: answered 200, and not as Sluice does: something else listens there\n"},
		`{"error":"x"}`:         {200, 1, "not as Sluice does"},
		``:                      {302, 1, "answered 302"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/healthz")
			w.WriteHeader(want.status)
			if _, err := w.Write([]byte(answer)); err != nil {
				t.Error(err)
			}
		}))
		c := newConsole(t, nil)
		c.wants(t, want.code, "healthcheck", "--url", server.URL)
		if got := c.out.String() + c.err.String(); !strings.HasSuffix(got, want.says) && !strings.Contains(got, want.says) {
			t.Errorf("%s: said %q, want %q", answer, got, want.says)
		}
		server.Close()
	}
}

// A daemon that takes connections and says nothing is not waited for.
func TestHealthcheckEnds(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := newConsole(t, nil)
	c.wants(t, 1, "healthcheck", "--timeout", "50ms", "--url", "http://"+silent.Addr().String())
	if !strings.Contains(c.err.String(), "no answer within 50ms") {
		t.Errorf("said %q", c.err.String())
	}
}

func TestHealthcheckTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listen, cert, url string
		want              string // "" is an error
		own               bool
	}{
		{listen: ":5000", want: "http://127.0.0.1:5000", own: true},
		{listen: "0.0.0.0:80", want: "http://127.0.0.1:80", own: true},
		{listen: "[::]:5000", want: "http://[::1]:5000", own: true},
		{listen: "10.1.2.3:5000", cert: "x", want: "https://10.1.2.3:5000", own: true},
		{listen: "sluice:5000", want: "http://sluice:5000", own: true},
		{listen: ":0"},
		{listen: ":5000", url: "https://sluice.example.com/base/", want: "https://sluice.example.com/base"},
		{listen: ":0", url: "http://localhost:1", want: "http://localhost:1", own: true},
		{url: "https://[::1]:1", want: "https://[::1]:1", own: true},
		{url: "sluice:5000"}, {url: "http://u:p@x"}, {url: "ftp://x"}, {url: "http://x?a"},
	} {
		base, own, err := healthcheckTarget(tt.url, func() (settings.Settings, error) {
			return settings.Settings{Listen: tt.listen, TLSCertFile: tt.cert}, nil
		})
		if base != tt.want || own != tt.own || (err == nil) != (tt.want != "") {
			t.Errorf("listen %s, url %s: %s, %v, %v", tt.listen, tt.url, base, own, err)
		}
	}
}
