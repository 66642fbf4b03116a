package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/api/wire"
)

// fleet is a daemon with something of everything to list.
func fleet(t *testing.T) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	profile := wire.Config{
		Name: "payment-service.production", Environment: "Production", Origin: "Git", Source: "configs",
		CurrentVersion: "1.4.0", DesiredVersion: "1.4.0", UpdatedAt: noon.Add(-3 * time.Hour),
	}
	held := profile
	held.Name, held.DesiredVersion = "search-service.production", "1.5.0"
	held.Hold = &wire.Hold{RefusedVersion: "1.5.0", Reason: "errors"}
	rolling := profile
	rolling.Name, rolling.DesiredVersion = "mail.production", "2.0.0"
	fresh := wire.Config{Name: "new.staging", Environment: "Staging", Origin: "API", UpdatedAt: noon}
	gone := profile
	gone.Name, gone.Retired = "old.production", true
	pinned := profile
	pinned.Name, pinned.Hold = "pinned.production", &wire.Hold{Reason: "by hand"}
	d.answers("GET /configs", page(profile, held, rolling, fresh, gone, pinned))
	d.answers("GET /configs/payment-service.production", profile)
	d.answers("GET /configs/payment-service.production/versions", page(
		wire.Version{Version: "1.4.0", CreatedAt: noon.Add(-time.Hour), Commit: "9f1c2ab47dd0", Author: "Ann Author", SizeBytes: 412, Message: "Allow five retries\n\nmore"},
		wire.Version{Version: "1.3.1", CreatedAt: noon.Add(-2 * time.Hour), Commit: "77aa", Author: "Ann Author", SizeBytes: 4120, Superseded: true, Message: "Typo"},
		wire.Version{Version: "1.3.0", CreatedAt: noon.Add(-50 * time.Hour), CreatedBy: "ben", Deprecated: "old", Tags: []string{"stable"}, Description: "by hand"},
	))
	deployment := canary()
	deployment.InstanceStatus = nil
	back := pictures()["rolledback"]
	back.ID, back.CreatedAt, back.InstanceStatus = strings.Replace(deploymentID, "019a", "019b", 1), noon.Add(-26*time.Hour), nil
	hand := pictures()["rollback"]
	hand.ID, hand.InstanceStatus, hand.CreatedAt = strings.Replace(deploymentID, "019a", "019c", 1), nil, noon.Add(-27*time.Hour)
	waits := canary()
	waits.ID, waits.InstanceStatus, waits.Status, waits.Awaiting = strings.Replace(deploymentID, "019a", "019d", 1), nil, "Pending", "Freeze"
	waits.Progress.Applied, waits.Explanation = 0, "frozen by ada until 2026-11-01T06:00:00Z: release weekend"
	d.answers("GET /deployments", page(waits, deployment, back, hand))
	d.answers("GET /instances", page(
		wire.Instance{
			ID: "i-1", ServiceName: "payment-service", Environment: "Production", Hostname: "payment-01", Port: 8080, Health: "Healthy", Liveness: "Live",
			LastHeartbeat: noon.Add(-4 * time.Second), Configs: []wire.InstanceConfig{{ConfigName: "payment-service.production", AppliedVersion: "1.4.0", DesiredVersion: "1.4.0"}},
		},
		wire.Instance{
			ID: "i-2", ServiceName: "payment-service", Environment: "Production", Hostname: "payment-02", Port: 8080, Health: "Unhealthy", Liveness: "Live",
			LastHeartbeat: noon.Add(-2 * time.Second), Configs: []wire.InstanceConfig{{ConfigName: "payment-service.production", AppliedVersion: "1.3.0", DesiredVersion: "1.4.0"}},
		},
		wire.Instance{
			ID: "i-3", ServiceName: "payment-service", Environment: "Production", Hostname: "payment-03", Port: 8080, Health: "Healthy", Liveness: "Stale",
			LastHeartbeat: noon.Add(-4 * time.Minute), Configs: []wire.InstanceConfig{{ConfigName: "payment-service.production", AppliedVersion: "1.3.0", DesiredVersion: "1.4.0", Error: "no"}},
		},
		wire.Instance{ID: "i-4", ServiceName: "mail", Environment: "Staging", Hostname: "mail-01", Port: 1, LastHeartbeat: noon},
	))
	return d
}

func TestTables(t *testing.T) {
	t.Parallel()
	d := fleet(t)
	for name, args := range map[string][]string{
		"profiles":    {"get", "profiles"},
		"profile":     {"get", "profiles", "payment-service.production"},
		"versions":    {"get", "versions", "payment-service.production"},
		"deployments": {"get", "deployments"},
		"instances":   {"get", "instances"},
		"history":     {"history", "payment-service.production"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, d)
			c.wants(t, 0, args...)
			golden(t, "table/"+name+".txt", c.out.String())
			c.terminal(80, 24, "")
			c.wants(t, 0, args...)
			golden(t, "table/"+name+".terminal.txt", strings.ReplaceAll(c.out.String(), "\x1b", "^["))
			c.env["NO_COLOR"] = "1"
			c.wants(t, 0, args...)
			if strings.Contains(c.out.String(), "\x1b") {
				t.Error("NO_COLOR is not honoured")
			}
		})
	}
}

func TestOutputFormats(t *testing.T) {
	t.Parallel()
	d := fleet(t)
	c := newConsole(t, d)
	c.wants(t, 0, "get", "versions", "payment-service.production", "-o", "json")
	var fromJSON []wire.Version
	if err := json.Unmarshal(c.out.Bytes(), &fromJSON); err != nil || len(fromJSON) != 3 || fromJSON[0].Message != "Allow five retries\n\nmore" {
		t.Errorf("JSON is %s (%v)", c.out.String(), err)
	}
	c.wants(t, 0, "get", "versions", "payment-service.production", "-o", "yaml")
	var fromYAML []map[string]any
	if err := yaml.Unmarshal(c.out.Bytes(), &fromYAML); err != nil || len(fromYAML) != 3 || fromYAML[0]["message"] != "Allow five retries\n\nmore" {
		t.Errorf("YAML is %s (%v)", c.out.String(), err)
	}
	if strings.Contains(c.out.String(), `"configName"`) {
		t.Errorf("YAML is not in block style: %s", c.out.String())
	}
	c.wants(t, 0, "get", "profiles", "-o", "name")
	if want := "profile/payment-service.production\nprofile/search-service.production\nprofile/mail.production\nprofile/new.staging\nprofile/old.production\nprofile/pinned.production\n"; c.out.String() != want {
		t.Errorf("names are %q", c.out.String())
	}
	for _, args := range [][]string{{"get", "deployments", "-o", "name"}, {"get", "instances", "-o", "name"}, {"history", "payment-service.production", "-o", "name"}} {
		if c.wants(t, 0, args...); c.out.Len() == 0 {
			t.Errorf("%v has no names", args)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "profiles", "--environment", "Staging", "--source", "configs", "--held"}, "GET /configs?environment=Staging&held=true&limit=100&source=configs"},
		{[]string{"get", "deployments", "payment", "--status", "InProgress", "--environment", "Production", "--commit", "9f1c2ab", "--limit", "7"}, "GET /deployments?commit=9f1c2ab&configName=payment&environment=Production&limit=7&status=InProgress"},
		{[]string{"get", "instances", "--service", "payment", "--environment", "Production", "--health", "Unhealthy"}, "GET /instances?environment=Production&health=Unhealthy&limit=100&serviceName=payment"},
	} {
		d := fleet(t)
		c := newConsole(t, d)
		c.wants(t, 0, tt.args...)
		if got := d.asked(); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%v asked %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestLimitIsKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t, fleet(t))
	c.wants(t, 0, "history", "payment-service.production", "--limit", "2", "-o", "name")
	if n := strings.Count(c.out.String(), "\n"); n != 2 {
		t.Errorf("%d entries: %s", n, c.out.String())
	}
}

func TestNothingToList(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("GET /configs", page[wire.Config]())
	c := newConsole(t, d)
	c.wants(t, 0, "get", "profiles")
	if c.out.Len() > 0 || c.err.String() != "no profiles\n" {
		t.Errorf("printed %q and %q", c.out.String(), c.err.String())
	}
	c.wants(t, 0, "get", "profiles", "-o", "json")
	if strings.TrimSpace(c.out.String()) != "[]" {
		t.Errorf("no profiles are %s", c.out.String())
	}
	c.wants(t, 0, "get", "profiles", "-o", "yaml")
	if strings.TrimSpace(c.out.String()) != "[]" {
		t.Errorf("no profiles are %s", c.out.String())
	}
}

func TestEveryPageIsRead(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	first := page(make([]wire.Config, 100)...)
	first.HasMore = true
	n := 0
	d.mux.HandleFunc("GET /api/v1/configs", func(w http.ResponseWriter, _ *http.Request) {
		n++
		if n == 1 {
			reply(w, 200, first)
			return
		}
		reply(w, 200, page(wire.Config{Name: "the-last"}))
	})
	c := newConsole(t, d)
	c.wants(t, 0, "get", "profiles", "-o", "name")
	if !strings.HasSuffix(c.out.String(), "the-last\n") {
		t.Errorf("the second page is missing: %q", d.asked())
	}
}
