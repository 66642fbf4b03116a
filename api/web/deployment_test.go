package web_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
)

// fleetOf is the report of a deployment with many instances in every state.
func fleetOf(t testing.TB, n int) wire.Report {
	t.Helper()
	r := rolledBack(t)
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for i := range n {
		s := wire.InstanceStatus{
			InstanceID: fmt.Sprintf("01a20e46-9279-7799-b86b-%012d", i), Hostname: fmt.Sprintf("payment-service-production-%04d.example.com", i),
			Liveness: "Live", Health: "Healthy", DesiredVersion: "1.4.0", AppliedVersion: "1.4.0", AppliedAt: &now, ReloadMillis: 12,
		}
		switch i % 10 {
		case 1:
			s.AppliedVersion = "1.4.1"
		case 2:
			s.Error = "timeout: too short"
		case 3:
			s.Liveness = "Stale"
		case 4:
			s.Health = "Unhealthy"
		case 5:
			s.AppliedVersion, s.DesiredVersion = "", ""
		}
		r.Deployment.InstanceStatus = append(r.Deployment.InstanceStatus, s)
	}
	return r
}

func deploymentPage(r wire.Report, all bool) web.Frame {
	view := web.DeploymentView{Report: r, Fleet: web.NewFleetView(r.Deployment, all), Gate: web.NewGate(r)}
	return web.Frame{Page: web.Page{Title: "x", Body: "deployment", View: view, Live: true}}
}

// A thousand instances are shown at once: a cell for each, and the table has the
// ones first that need a look.
func TestAThousandInstances(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 1000)
	var b bytes.Buffer
	if err := deploymentPage(r, false).Render(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if n := strings.Count(text, `<a class="cell `); n != 1000 {
		t.Errorf("%d cells", n)
	}
	if len(text) > 400<<10 {
		t.Errorf("%d bytes", len(text))
	}
	if n := strings.Count(text, `<tr id="i-`); n != 50 || !strings.Contains(text, "950 more instances") {
		t.Errorf("%d rows", n)
	}
	for _, want := range []string{"<span>100 could not apply it</span>", "<span>100 not heard of</span>", "<span>100 not healthy</span>", "<span>100 run 1.4.1</span>", "<span>100 have nothing yet</span>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the legend does not say %s", want)
		}
	}
	v := web.NewFleetView(r.Deployment, false)
	for i, row := range v.Rows {
		if row.State != "failed" {
			t.Errorf("row %d is of one that is %q: the failed come first", i, row.State)
		}
	}
	if all := web.NewFleetView(r.Deployment, true); len(all.Rows) != 1000 || all.More != 0 {
		t.Errorf("all are %d rows and %d more", len(all.Rows), all.More)
	}
}

// An instance stays where it is in the grid, whatever becomes of it.
func TestCellsStay(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 30)
	before := web.NewFleetView(r.Deployment, false)
	for i := range r.Deployment.InstanceStatus {
		r.Deployment.InstanceStatus[i].Error, r.Deployment.InstanceStatus[i].AppliedVersion = "", "1.4.1"
	}
	after := web.NewFleetView(r.Deployment, false)
	for i := range before.Cells {
		if before.Cells[i].ID != after.Cells[i].ID {
			t.Fatalf("cell %d was %s and is %s", i, before.Cells[i].Hostname, after.Cells[i].Hostname)
		}
	}
}

// What instances, files and people wrote is text on every page of a deployment.
func TestDeploymentPagesTakeNoMarkup(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=y>`
	r := fleetOf(t, 3)
	d := &r.Deployment
	d.ConfigName, d.ConfigVersion, d.PreviousVersion, d.Explanation, d.Cause, d.InitiatedBy, d.Commit, d.TraceID = evil, evil, evil, evil, evil, evil, evil, evil
	d.Source, d.Force, d.RetryOf, d.PhaseName, d.ID = evil, evil, evil, evil, evil
	d.InstanceStatus[0].Hostname, d.InstanceStatus[0].Error, d.InstanceStatus[0].Health = evil, evil, evil
	d.Exposures[0].Hostname, d.Exposures[0].ApplyError, d.Exposures[0].ServiceVersion = evil, evil, evil
	r.Changes.Diff.Modified[0].Field, r.Changes.Diff.Modified[0].NewValue = evil, evil
	r.Verdict.Reason, r.Verdict.Metrics[0].Name, r.Verdict.Metrics[0].Provider, r.Verdict.Metrics[0].Query = evil, evil, evil, evil
	r.Series[0].Name, r.Series[0].Unit = evil, evil
	r.TimeLine[0].What, r.TimeLine[0].By, r.Headline = evil, evil, evil
	order := web.OrderView{Order: "rollback", Deployment: *d, Impossible: evil, Reason: evil}
	possible := web.OrderView{Order: "rollback", Deployment: *d, Reason: evil, Preview: &wire.RollbackPreview{Explanation: evil, FromVersion: evil, ToVersion: evil, Changes: r.Changes}}
	page := deploymentPage(r, false)
	for body, view := range map[string]any{
		"deployment": page.View, "report": page.View, "order": order,
		"deployments": web.DeploymentsView{Deployments: []wire.Deployment{*d}, Config: evil, Commit: evil},
	} {
		inert(t, body, view, evil)
	}
	inert(t, "order", possible, evil)
}

func inert(t *testing.T, body string, view any, evil string) {
	t.Helper()
	var b bytes.Buffer
	f := web.Frame{Viewer: web.Viewer{Operates: true, Administers: true}, Page: web.Page{Title: evil, Body: body, View: view}}
	if err := f.Render(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "<script>") || strings.Contains(text, "<img") || !strings.Contains(text, "alert(1)") {
		t.Errorf("%s has somebody else's markup:\n%s", body, text)
	}
}

func TestForgeLinks(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][2]string{
		"https://github.com/team/configs.git":      {"https://github.com/team/configs/commit/abc", "https://github.com/team/configs/pull/7"},
		"git@gitlab.example.com:team/sub/configs":  {"https://gitlab.example.com/team/sub/configs/commit/abc", "https://gitlab.example.com/team/sub/configs/-/merge_requests/7"},
		"ssh://git@gitea.example.com:2222/t/c.git": {"https://gitea.example.com/t/c/commit/abc", "https://gitea.example.com/t/c/pulls/7"},
		"https://git.example.com:8443/t/c":         {"https://git.example.com:8443/t/c/commit/abc", ""},
		"file:///srv/configs":                      {"", ""},
		"/srv/configs":                             {"", ""},
		`C:\configs`:                               {"", ""},
		"javascript:alert(1)":                      {"", ""},
		"javascript://x/a/b":                       {"", ""},
		"https://git.example.com/configs":          {"", ""},
	} {
		if got := [2]string{web.CommitURL(source, "abc"), web.PullRequestURL(source, 7)}; got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestPager(t *testing.T) {
	t.Parallel()
	query := map[string][]string{"status": {"Failed"}, "commit": {""}, "offset": {"50"}}
	if p := web.NewPager("/deployments", query, 120, 50, 50, 50); p.First != 51 || p.Last != 100 ||
		p.Before != "/deployments?status=Failed" || p.After != "/deployments?offset=100&status=Failed" {
		t.Errorf("in the middle: %+v", p)
	}
	if p := web.NewPager("/deployments", nil, 3, 50, 0, 3); p.Before != "" || p.After != "" || p.First != 1 || p.Last != 3 {
		t.Errorf("a short list: %+v", p)
	}
	if p := web.NewPager("/deployments", nil, 120, 50, 500, 0); p.Before != "/deployments?offset=70" || p.After != "" {
		t.Errorf("beyond the end: %+v", p)
	}
}

func BenchmarkAThousandInstances(b *testing.B) {
	r := fleetOf(b, 1000)
	for b.Loop() {
		if err := deploymentPage(r, false).Render(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// What decided is shown also where it has no figure, as instances that fell silent.
func TestGateThatDecidedWithoutAFigure(t *testing.T) {
	t.Parallel()
	r := rolledBack(t)
	at := r.Series[0].Points[0].At
	r.Verdict = &wire.Verdict{Outcome: "Fail", Reason: "2 of 3 fell silent", Metrics: []wire.MetricCheck{{Name: "heartbeats", Outcome: "Fail", Reason: "2 of 3 fell silent", N: 3}}}
	r.Series = []wire.Series{
		{Name: "heartbeats", Failed: true, Points: []wire.Point{{At: at, Outcome: "Fail"}}}, {Name: "latencyP99", Points: []wire.Point{{At: at, Outcome: "Skipped"}}},
	}
	g := web.NewGate(r)
	if len(g.Metrics) != 1 || !g.Metrics[0].Decided || g.Metrics[0].N != 3 || len(g.Others) != 1 || g.Others[0] != "latency p99" {
		t.Errorf("%+v", g)
	}
	var b bytes.Buffer
	if err := deploymentPage(r, false).Render(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<strong>decided</strong>", `<p class="no-chart">2 of 3 fell silent</p>`, "Without a figure: latency p99."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	r.Verdict, r.Series = nil, nil
	for _, ended := range []bool{true, false} {
		want := "No check was made"
		if !ended {
			r.Deployment.FinishedAt, want = nil, "No check yet"
		}
		b.Reset()
		if err := deploymentPage(r, false).Render(&b); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("without a check, ended %v: %v\n%s", ended, err, b.String())
		}
	}
}
