package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// ask gets a page and answers its status and text.
func ask(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// Profiles have a door of their own, and no other leads to them.
func TestProfiles(t *testing.T) {
	t.Parallel()
	server, out, stop := startDaemon(t, "--data-dir", t.TempDir(), "--pprof-listen", "127.0.0.1:0", "--admin-password", "correct horse battery")
	own := ""
	for line := range strings.SplitSeq(out.String(), "\n") {
		var entry struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "profiles are served" {
			own = "http://" + entry.Address
		}
	}
	if own == "" {
		t.Fatalf("the log names no address of profiles:\n%s", out)
	}
	if status, body := ask(t, own+"/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "pprof.(*Profile).WriteTo") {
		t.Errorf("goroutines: %d\n%.500s", status, body)
	}
	if status, body := ask(t, own+"/debug/pprof/heap"); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("heap: %d, %d bytes that are no profile", status, len(body))
	}
	if status, body := ask(t, own+"/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("the command line, which may hold secrets, is told: %d %q", status, body)
	}
	if status, _ := ask(t, server+"/debug/pprof/goroutine?debug=1"); status != http.StatusNotFound {
		t.Errorf("the main listener has profiles too: %d", status)
	}
	if status, _ := ask(t, own+"/healthz"); status != http.StatusNotFound {
		t.Errorf("the listener of profiles serves more: %d", status)
	}
	if code := stop(); code != 0 {
		t.Errorf("ended with %d\n%s", code, out)
	}
}

// An address that is taken is told.
func TestProfilesAddressTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := newConsole(t, nil)
	code := c.do(t, "serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(), "--pprof-listen", taken.Addr().String())
	if code == 0 || !strings.Contains(c.err.String(), "pprof_listen: listen on "+taken.Addr().String()) {
		t.Errorf("ended with %d, %s", code, c.err.String())
	}
}
