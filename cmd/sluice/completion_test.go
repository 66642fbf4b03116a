package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
)

// completions are what a press of Tab offers after a line, with descriptions.
func completions(t *testing.T, c *console, line ...string) []string {
	t.Helper()
	c.wants(t, 0, append([]string{"__complete"}, line...)...)
	lines := strings.Split(strings.TrimSpace(c.out.String()), "\n")
	return lines[:len(lines)-1] // the last one is the directive
}

func offers(t *testing.T, c *console, want string, line ...string) {
	t.Helper()
	for _, offered := range completions(t, c, line...) {
		if strings.HasPrefix(offered, want) {
			return
		}
	}
	t.Errorf("sluice %s offers %q, want %q", strings.Join(line, " "), c.out.String(), want)
}

// Names come from the very API, with what they are beside.
func TestCompletionOfLiveNames(t *testing.T) {
	t.Parallel()
	a := newRealAPI(t)
	instance := a.deployed(t, "shop.development")
	c := a.console(t, api.Viewer)
	for _, tt := range []struct {
		want string
		line []string
	}{
		{"shop.development\t1.1.0 in step", []string{"get", "profiles", ""}},
		{"shop.development", []string{"rollback", "sh"}},
		{"shop.development", []string{"watch", ""}},
		{"shop.development", []string{"describe", "profile", ""}},
		{"1.0.0", []string{"deploy", "shop.development", ""}},
		{"1.0.0", []string{"rollback", "shop.development", "--to", ""}},
		{"1.0.0", []string{"config", "tag", "shop.development", ""}},
		{"shop.development", []string{"config", "delete", "s"}},
		{"1.1.0", []string{"diff", "shop.development", "1.0.0", "1.1"}},
		{instance + "\tshop on shop-01", []string{"deregister", ""}},
		{"shop", []string{"get", "instances", "--service", ""}},
		{"Production", []string{"get", "profiles", "--environment", "P"}},
		{"RolledBack", []string{"get", "deployments", "--status", "Roll"}},
		{"BlueGreen", []string{"deploy", "shop.development", "1.0.0", "--strategy", "B"}},
		{"json", []string{"get", "profiles", "-o", "j"}},
		{"never", []string{"get", "profiles", "--color", ""}},
		{"strategy.steps\tThe shares of targets", []string{"explain", "strategy.s"}},
		{"database_url", []string{"explain", "--settings", "database"}},
		{"csv", []string{"audit", "export", "--format", ""}},
	} {
		offers(t, c, tt.want, tt.line...)
	}
	deployments := completions(t, c, "report", "")
	if len(deployments) < 3 { // the profile and its two deployments
		t.Errorf("report offers %q", deployments)
	}
	if got := completions(t, c, "rollback", "other"); len(got) != 0 {
		t.Errorf("what does not begin as typed is offered: %q", got)
	}
	if got := completions(t, c, "rollback", "shop.development", ""); len(got) != 0 {
		t.Errorf("a second argument is offered: %q", got)
	}
}

// Whoever presses Tab with a half-written line wants no error and no wait.
func TestCompletionIsSilent(t *testing.T) {
	t.Parallel()
	refusing := newDaemon(t)
	refusing.refuses("GET /configs", http.StatusUnauthorized, "UNAUTHORIZED", "no token")
	hanging := newDaemon(t)
	hanging.mux.HandleFunc("GET /api/v1/configs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for what, d := range map[string]*fakeDaemon{"refuses": refusing, "hangs": hanging} {
		c := newConsole(t, d)
		began := time.Now()
		if got := completions(t, c, "get", "profiles", ""); len(got) != 0 {
			t.Errorf("a daemon that %s gives %q", what, got)
		}
		if took := time.Since(began); took > 10*completionTime {
			t.Errorf("a daemon that %s takes %s", what, took)
		}
		if said := c.err.String(); strings.Contains(said, "401") || strings.Contains(said, "deadline") {
			t.Errorf("a daemon that %s makes it say %q", what, said)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		c := newConsole(t, nil)
		c.wants(t, 0, "completion", name)
		if !strings.Contains(c.out.String(), "sluice") {
			t.Errorf("the script for %s is %q", name, c.out.String())
		}
	}
}
