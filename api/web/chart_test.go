package web_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

func TestChart(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 3, 2, 10, 0, s, 0, time.UTC) }
	v := func(f float64) *float64 { return &f }
	none := 0.0
	long := wire.Series{}
	for i := range 3000 {
		p := wire.Point{At: at(i), Outcome: "Pass", Value: v(float64(i % 7)), Limit: v(9)}
		if i == 1501 {
			p.Outcome = "Fail"
		}
		long.Points = append(long.Points, p)
	}
	for name, c := range map[string]struct {
		s    wire.Series
		want bool
	}{
		"one check":        {wire.Series{Points: []wire.Point{{At: at(0), Value: v(3), Limit: v(5)}}}, true},
		"nothing measured": {wire.Series{Points: []wire.Point{{At: at(0), Baseline: v(3)}}}, false},
		"no check":         {wire.Series{}, false},
		"never moved":      {wire.Series{Points: []wire.Point{{At: at(0), Value: v(0)}, {At: at(9), Value: v(0)}}}, true},
		"no number":        {wire.Series{Points: []wire.Point{{At: at(0), Value: v(none / none)}, {At: at(9), Limit: v(1 / none), Value: v(2)}}}, true},
		"very long":        {long, true},
	} {
		chart := string(web.Chart(c.s, time.Time{}, wire.Deployment{}))
		if (chart != "") != c.want {
			t.Errorf("%s: %q", name, chart)
		}
		wellFormed(t, chart)
		if strings.Contains(chart, "NaN") || strings.Contains(chart, "Inf") || len(chart) > 10_000 {
			t.Errorf("%s: %d bytes, %s", name, len(chart), chart)
		}
	}
	if chart := string(web.Chart(long, time.Time{}, wire.Deployment{})); strings.Count(chart, `class="dot fail"`) != 1 {
		t.Errorf("the check that failed is not in the chart of many: %s", chart)
	}
}

// What a chart shows is said in words as well, and what others wrote is text.
func TestChartInWords(t *testing.T) {
	t.Parallel()
	r := rolledBack(t)
	chart := string(web.Chart(r.Series[0], time.Time{}, r.Deployment))
	for _, want := range []string{"error rate over", "updated 14.2%", "control 0.50%", "baseline 0.40%", "limit 5.40%", ">rollback<"} {
		if !strings.Contains(chart, want) {
			t.Errorf("the chart does not say %q: %s", want, chart)
		}
	}
	r.Series[0].Name = `"><script>alert(1)</script>`
	chart = string(web.Chart(r.Series[0], time.Time{}, r.Deployment))
	wellFormed(t, chart)
	if strings.Contains(chart, "<script") {
		t.Errorf("somebody else's markup: %s", chart)
	}
}

// Of a deployment of days only the last checks are kept: they have the whole chart,
// which says its days. One that has just begun shows how long it took to measure.
func TestChartsBegin(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	d := wire.Deployment{StartedAt: &start}
	figure := 1.0
	checks := func(n int, from time.Time) wire.Series {
		s := wire.Series{Name: "errorRate"}
		for i := range n {
			s.Points = append(s.Points, wire.Point{At: from.Add(time.Duration(i) * 30 * time.Second), Value: &figure})
		}
		return s
	}
	kept := start.Add(26 * time.Hour)
	for name, c := range map[string]struct {
		all  []wire.Series
		want time.Time
	}{
		"no check":                 {nil, start},
		"a first check":            {[]wire.Series{checks(1, start.Add(5*time.Minute))}, start},
		"all checks":               {[]wire.Series{checks(90, start.Add(time.Minute))}, start},
		"the last of many":         {[]wire.Series{checks(100, kept)}, kept},
		"one was not measured yet": {[]wire.Series{checks(100, kept), checks(3, kept.Add(40*time.Minute))}, kept},
	} {
		if got := web.ChartsBegin(c.all, d); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	across := checks(90, start.Add(time.Hour+30*time.Minute)) // 23:30 to 00:14
	if chart := string(web.Chart(across, start, d)); !strings.Contains(chart, "2026-03-02 22:00") || !strings.Contains(chart, "2026-03-03 00:14 UTC") {
		t.Errorf("it does not say its days: %s", chart)
	}
}

// rolledBack is a report as the API tells it.
func rolledBack(t testing.TB) wire.Report {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "report", "testdata", "rollback.json"))
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
	return report.Build(in.Deployment, in.Checks, in.Events, in.Changes)
}

// wellFormed fails unless text is XML, which a browser cannot misread.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, text)
		}
	}
}
