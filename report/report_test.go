package report_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rollback is a rollback as the API told it.
func rollback(t *testing.T) (wire.Deployment, []wire.Check, []wire.AuditEvent, *wire.DiffResponse) {
	t.Helper()
	raw, err := os.ReadFile("testdata/rollback.json")
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		Deployment wire.Deployment    `json:"deployment"`
		Checks     []wire.Check       `json:"checks"`
		Events     []wire.AuditEvent  `json:"events"`
		Changes    *wire.DiffResponse `json:"changes"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		t.Fatal(err)
	}
	return in.Deployment, in.Checks, in.Events, in.Changes
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is another one (-update writes it anew):\n%s", file, got)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := report.Build(rollback(t))
	golden(t, "rollback.md", report.Markdown(r))
	if r.Durations != (wire.Durations{MergeToStart: "PT12S", StartToDetected: "PT1M1S", DetectedToBack: "PT2.5S", Whole: "PT1M30S"}) {
		t.Errorf("%+v", r.Durations)
	}
}

// What instances, files and people wrote is text in every form.
func TestReportTakesNoMarkup(t *testing.T) {
	t.Parallel()
	d, checks, events, changes := rollback(t)
	const evil = "<script>alert(1)</script> ![x](http://evil.example.com/x.png) | @everyone `rm` \n# heading"
	d.RollbackReason, d.InitiatedBy, d.Cause = evil, evil, evil
	d.Exposures[0].Hostname, d.Exposures[0].ApplyError = evil, evil
	changes.Diff.Modified[0].NewValue = evil
	changes.Diff.Modified[0].Field = "$." + evil
	checks[0].Verdict.Reason, checks[0].Verdict.Metrics[0].Name = evil, evil
	events[0].User = evil
	r := report.Build(d, checks, events, changes)
	text := report.Markdown(r)
	for _, bad := range []string{"<script", "![x](", "@everyone", "`rm`", "\n# heading"} {
		if strings.Contains(text, bad) {
			t.Errorf("the Markdown holds %q", bad)
		}
	}
}

// A deployment that went well, one that is under way and one of nothing have reports too.
func TestReportOfOthers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for status, d := range map[string]wire.Deployment{
		"1.1.0 is Completed: 1.1.0 runs on 4 of 4 instances":            {Status: "Completed", Explanation: "1.1.0 runs on 4 of 4 instances", StartedAt: &now, FinishedAt: &now},
		"1.1.0 is InProgress: canary 10%":                               {Status: "InProgress", Explanation: "canary 10%"},
		"1.1.0 was brought back in place of 1.2.0 by alice: it is slow": {Kind: "Rollback", PreviousVersion: "1.2.0", InitiatedBy: "alice", Cause: "it is slow", Status: "Completed"},
	} {
		d.ConfigName, d.ConfigVersion, d.CreatedAt = "web", "1.1.0", now
		r := report.Build(d, nil, nil, nil)
		if r.Headline != "web "+status {
			t.Errorf("%q, want %q", r.Headline, status)
		}
		if report.Markdown(r) == "" {
			t.Error("no Markdown")
		}
	}
}
