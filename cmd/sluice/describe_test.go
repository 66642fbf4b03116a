package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// describedDaemon is a daemon with one of everything to look at.
func describedDaemon(t *testing.T) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	since := noon.Add(-10 * time.Minute)
	d.answers("GET /configs/payment", wire.Config{
		Name: "payment", ServiceName: "payment-service", Environment: "Production", ServiceType: "Microservice", SchemaID: "payment.v1",
		DefaultStrategy: "Canary", Labels: map[string]string{"region": "us"}, Origin: "Git", Source: "configs", Path: "payment.yaml",
		CurrentVersion: "1.3.0", DesiredVersion: "1.4.0", VersionCount: 7, DeploymentCount: 9, UpdatedAt: since,
		Hold: &wire.Hold{RefusedVersion: "1.4.0", Reason: "errors", Actor: "ada", CreatedAt: since},
	})
	d.answers("GET /deployments", page(canary()))
	d.answers("GET /instances", page(wire.Instance{
		ID: "i-1", ServiceName: "payment-service", Hostname: "payment-01", Port: 8080, Health: "Healthy", Liveness: "Live", LastHeartbeat: noon,
		Configs: []wire.InstanceConfig{{ConfigName: "payment", AppliedVersion: "1.3.0", DesiredVersion: "1.3.0"}, {ConfigName: "other"}},
	}))
	d.answers("GET /configs/payment/versions/1.4.0", wire.Version{
		ConfigName: "payment", Version: "1.4.0", Commit: "9f1c2ab47dd0", Author: "Ann Author", PullRequest: 42, Message: "Allow five retries",
		CreatedAt: since, Tags: []string{"stable"}, SizeBytes: 40, Hash: "ab12", ConfigData: json.RawMessage(`{"retries":5,"apiKey":"***"}`),
	})
	d.answers("GET /deployments/"+deploymentID, canary())
	d.answers("GET /deployments/"+deploymentID+"/health", wire.DeploymentHealth{
		Verdict: canary().Verdict, Checks: []wire.Check{{At: since, Phase: 1, Verdict: *canary().Verdict}}, Targets: canary().InstanceStatus[:2],
	})
	d.answers("GET /sources", page(wire.Source{ID: "configs", URL: "https://git.example.com/c.git", Branch: "main", Head: "9f1c2ab47dd0", SyncedAt: &since, LastError: "no route", ErrorSince: &since}))
	d.answers("GET /audit", page(wire.AuditEvent{
		ID: 7, EventType: "deployment.created", EntityType: "deployment", EntityID: deploymentID, User: "ada", CreatedAt: since,
		Details: map[string]any{"profile": "payment", "version": "1.4.0", "reason": "urgent", "forced": true},
	}))
	return d
}

func TestPages(t *testing.T) {
	t.Parallel()
	d := describedDaemon(t)
	for name, line := range map[string]string{
		"profile": "describe profile payment", "version": "describe version payment 1.4.0", "source": "describe source configs",
		"deployment": "describe deployment payment", "health": "health payment", "sources": "get sources", "audit": "audit",
	} {
		c := newConsole(t, d)
		c.wants(t, 0, strings.Fields(line)...)
		golden(t, "describe/"+name+".txt", c.out.String())
		c.terminal(80, 24, "")
		c.wants(t, 0, append(strings.Fields(line), "--color", "never")...)
		for shown := range strings.Lines(c.out.String()) {
			if n := len([]rune(strings.TrimSuffix(shown, "\n"))); n > 80 {
				t.Errorf("%s has a line of %d on a terminal of 80: %q", name, n, shown)
			}
		}
		c.wants(t, 0, append(strings.Fields(line), "-o", "json")...)
		if !json.Valid(c.out.Bytes()) {
			t.Errorf("%s as JSON is %s", name, c.out.String())
		}
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	d := describedDaemon(t)
	c := newConsole(t, d)
	c.wants(t, 0, strings.Fields("audit --since 2h --until 2026-11-24 --user ada --type hold.begun --entity profile/payment --entity-type profile --limit 5")...)
	want := "GET /audit?entityId=payment&entityType=profile&eventType=hold.begun&limit=5&since=2026-11-24T10%3A00%3A00Z&until=2026-11-24T00%3A00%3A00Z&user=ada"
	if got := last(t, d); got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// An export that breaks off leaves no file, and is no success.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	breaks := false
	d.mux.HandleFunc("GET /api/v1/audit", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		if _, err := w.Write([]byte("id,createdAt\n1,now\n")); err != nil {
			t.Error(err)
		}
		if breaks {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			panic(http.ErrAbortHandler)
		}
	})
	c := newConsole(t, d)
	c.wants(t, 0, "audit", "export")
	if c.out.String() != "id,createdAt\n1,now\n" {
		t.Errorf("printed %q", c.out.String())
	}
	file := filepath.Join(t.TempDir(), "audit.csv")
	c.wants(t, 0, "audit", "export", "--to", file)
	if content, err := os.ReadFile(file); err != nil || string(content) != "id,createdAt\n1,now\n" {
		t.Errorf("the file is %q, %v", content, err)
	}
	breaks = true
	half := filepath.Join(filepath.Dir(file), "half.csv")
	if code := c.do(t, "audit", "export", "--to", half); code == 0 || !strings.Contains(c.err.String(), "the export broke off") {
		t.Errorf("ended with %d: %q", code, c.err.String())
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
