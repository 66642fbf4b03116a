package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// preview is what a rollback of the canary would do.
func preview() wire.RollbackPreview {
	return wire.RollbackPreview{
		ConfigName: "payment-service.production", Kind: "TurnRound", DeploymentID: deploymentID, FromVersion: "1.4.0", ToVersion: "1.3.0",
		DesiredVersion: "1.4.0", Instances: 3, Hold: &wire.Hold{PinnedVersion: "1.3.0", RefusedVersion: "1.4.0"},
		Changes: &wire.DiffResponse{Diff: wire.Diff{
			Added:    []wire.FieldChange{{Field: "$.queue", NewValue: map[string]any{"size": 10}}},
			Removed:  []wire.FieldChange{{Field: "$.apiKey", OldValue: "***"}},
			Modified: []wire.FieldChange{{Field: "$.maxRetries", OldValue: 5, NewValue: 3}},
		}, IsBreakingChange: true},
		Explanation: "3 instances go back from 1.4.0 to 1.3.0 at once, and payment-service.production is on hold",
	}
}

// rollsBack makes the daemon answer a rollback, and what it would do.
func (d *fakeDaemon) rollsBack(path string, would wire.RollbackPreview, does wire.Deployment) {
	d.answers("GET "+path, would)
	d.answers("POST "+path, does)
}

func TestRollback(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule, request, out string
		args               []string
	}{
		{
			"of a profile", `POST /configs/payment/rollback {"reason":"checkout is slow"}`,
			"payment-service.production goes back to 1.2.0 on 10 instances: RollingBack\nfollow it: sluice watch " + deploymentID + "\n",
			[]string{"rollback", "payment", "--reason", "checkout is slow"},
		},
		{
			"to a version", `POST /configs/payment/rollback {"reason":"slow","toVersion":"1.2.0"}`, "goes back to 1.2.0",
			[]string{"rollback", "payment", "--reason", "slow", "--to", "1.2.0"},
		},
		{
			"of a deployment", "POST /deployments/" + deploymentID + `/rollback {"reason":"slow"}`, "goes back to 1.3.0",
			[]string{"rollback", deploymentID, "--reason", "slow"},
		},
		{
			"of what -o name prints", "POST /deployments/" + deploymentID + `/rollback {"reason":"slow"}`, "goes back to 1.3.0",
			[]string{"rollback", "deployment/" + deploymentID, "--reason", "slow"},
		},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			d := rolling(t)
			c := newConsole(t, d)
			c.wants(t, 0, append(tt.args, "--yes", "--no-wait")...)
			if got := d.asked(); len(got) != 1 || got[0] != tt.request {
				t.Errorf("asked %q, want only %q: --yes waits for nothing", got, tt.request)
			}
			if !strings.Contains(c.out.String(), tt.out) {
				t.Errorf("printed %q, want %q", c.out.String(), tt.out)
			}
		})
	}
}

func TestRollbackAsksOnATerminal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typed, reason string
		yes           bool
		code          int
		sent          string
	}{
		{"y\n", "slow", false, 0, "slow"},
		{"YES\r\n", "slow", false, 0, "slow"},
		{"n\n", "slow", false, 1, ""},
		{"\n", "slow", false, 1, ""},
		{"yep", "slow", false, 1, ""},
		{"", "slow", false, 2, ""},
		{"", "slow", true, 0, "slow"},
		{"checkout is slow\ny\n", "", false, 0, "checkout is slow"},
		{"\nasked again\ny\n", "", false, 0, "asked again"},
		{"\n\n", "", false, 1, ""},
	} {
		d := rolling(t)
		c := newConsole(t, d)
		c.terminal(80, 24, tt.typed)
		args := []string{"rollback", "payment", "--no-wait", "--color", "never"}
		if tt.reason != "" {
			args = append(args, "--reason", tt.reason)
		}
		if tt.yes {
			args = append(args, "--yes")
		}
		c.wants(t, tt.code, args...)
		if shown := strings.Contains(c.err.String(), "1.4.0 → 1.3.0"); shown == tt.yes {
			t.Errorf("typed %q: stderr is %q", tt.typed, c.err.String())
		}
		if strings.Contains(c.err.String(), "Reason") != (tt.reason == "") {
			t.Errorf("typed %q: stderr is %q", tt.typed, c.err.String())
		}
		sent := ""
		for _, asked := range d.asked() {
			if body, ok := strings.CutPrefix(asked, "POST /configs/payment/rollback {"); ok {
				sent = strings.TrimSuffix(strings.TrimPrefix(body, `"reason":"`), `"}`)
			}
		}
		if sent != tt.sent {
			t.Errorf("typed %q: the reason sent is %q, want %q", tt.typed, sent, tt.sent)
		}
	}
}

// What will happen only informs: an emergency is no time to fail because of it.
func TestRollbackWithoutAPreview(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.refuses("GET /configs/payment/rollback", http.StatusInternalServerError, "INTERNAL_ERROR", "it broke")
	d.answers("POST /configs/payment/rollback", canary())
	c := newConsole(t, d)
	c.terminal(80, 24, "y\n")
	c.wants(t, 0, "rollback", "payment", "--reason", "slow", "--no-wait")
	if !strings.Contains(c.err.String(), "What will happen could not be read") {
		t.Errorf("stderr is %q", c.err.String())
	}
}

// What the daemon refuses to foresee it would refuse to do: nobody is asked.
func TestRollbackThatIsRefused(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.refuses("GET /configs/payment/rollback", http.StatusConflict, "CONFLICT", "no version completed before")
	c := newConsole(t, d)
	c.terminal(80, 24, "y\n")
	c.wants(t, exitRefused, "rollback", "payment", "--reason", "slow")
	if !strings.Contains(c.err.String(), "no version completed before") || strings.Contains(c.err.String(), "Go on?") {
		t.Errorf("stderr is %q", c.err.String())
	}
}

func TestRollbackDryRun(t *testing.T) {
	t.Parallel()
	d := rolling(t)
	from := wire.Version{
		Version: "1.4.0", CreatedAt: noon.Add(-2 * time.Hour), Commit: "9f1c2ab47dd0", Author: "Ann Author", PullRequest: 42,
		Message: "Allow five retries\n\nmore",
	}
	to := wire.Version{Version: "1.3.0", CreatedAt: noon.Add(-50 * time.Hour), CreatedBy: "ben"}
	d.answers("GET /configs/payment-service.production/versions/1.4.0", from)
	d.answers("GET /configs/payment-service.production/versions/1.3.0", to)
	d.answers("GET /freeze", wire.Freeze{Frozen: true, Actor: "ada", Reason: "release weekend"})
	c := newConsole(t, d)
	c.env["SLUICE_SERVER"] = ""
	for _, width := range []struct{ columns, file string }{{"80", "rollback/preview.80.txt"}, {"120", "rollback/preview.120.txt"}} {
		c.env["COLUMNS"] = width.columns
		c.wants(t, 0, "rollback", "payment", "--dry-run", "--server", d.URL)
		golden(t, width.file, strings.ReplaceAll(c.out.String(), d.URL, "http://127.0.0.1:5000"))
	}
	c.wants(t, 0, "rollback", deploymentID, "--dry-run", "-o", "json", "--server", d.URL)
	var got wire.RollbackPreview
	if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || got.ToVersion != "1.3.0" || got.Hold == nil {
		t.Errorf("JSON is %s, %v", c.out.String(), err)
	}
	for _, asked := range d.asked() {
		if strings.HasPrefix(asked, "POST") {
			t.Errorf("a dry run asked %q", asked)
		}
	}
}

// A long difference must not push what it is about off the screen.
func TestRollbackPreviewIsShort(t *testing.T) {
	t.Parallel()
	p := preview()
	p.Changes.Diff.Modified = nil
	for range 100 {
		p.Changes.Diff.Modified = append(p.Changes.Diff.Modified, wire.FieldChange{Field: "$.x", OldValue: 1, NewValue: 2})
	}
	got := drawRollback(p, wire.Version{}, wire.Version{}, wire.Freeze{}, destination{}, look{Width: 80, Unicode: true})
	if n := strings.Count(got, "\n"); n > mostChanges+15 {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(got, "sluice diff payment-service.production 1.4.0 1.3.0") {
		t.Errorf("it does not say where the rest is: %s", got)
	}
}

func TestRollbackIsFollowed(t *testing.T) {
	t.Parallel()
	for end, code := range map[string]int{"RolledBack": 0, "Cancelled": 0, "Failed": 1, "Superseded": 1} {
		d := rolling(t)
		d.streams(deploymentID, states(end))
		c := newConsole(t, d)
		c.wants(t, code, "rollback", deploymentID, "--reason", "slow", "--yes")
		if !strings.Contains(c.out.String(), end) {
			t.Errorf("the way is not shown: %q", c.out.String())
		}
		c.wants(t, code, "rollback", deploymentID, "--reason", "slow", "--yes", "-o", "json")
		var got wire.Deployment
		if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || got.ID != deploymentID {
			t.Errorf("JSON is %s, %v", c.out.String(), err)
		}
	}
}
