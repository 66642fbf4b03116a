package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
)

var rewrite = flag.Bool("update", false, "write the golden files again")

// noon is the clock of every test.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// golden compares text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it again)\n--- got\n%s--- want\n%s", file, got, want)
	}
}

// targets makes n instances: the first applied run version, the next flight
// are on their way, the rest run the one before.
func targets(n, applied, flight int, version, previous string) []wire.InstanceStatus {
	list := make([]wire.InstanceStatus, n)
	for i := range list {
		list[i] = wire.InstanceStatus{
			InstanceID: fmt.Sprintf("i-%03d", i), Hostname: fmt.Sprintf("payment-%02d", i+1), Liveness: "Live", Health: "Healthy",
			DesiredVersion: previous, AppliedVersion: previous,
		}
		if i < applied+flight {
			list[i].DesiredVersion = version
		}
		if i < applied {
			list[i].AppliedVersion = version
		}
	}
	return list
}

const deploymentID = "019a6f00-1111-7222-8333-444455556666"

// canary is a deployment in its second phase, three of ten instances updated.
func canary() wire.Deployment {
	return wire.Deployment{
		ID: deploymentID, ConfigName: "payment-service.production", ConfigVersion: "1.4.0", PreviousVersion: "1.3.0",
		Kind: "Forward", Strategy: "Canary", Steps: []int{10, 30, 50, 100}, Environment: "Production", Status: "InProgress",
		Explanation: "canary 30%, 3 of 10 instances: the gate passes, 42 s to go",
		Phase:       2, Phases: 4, Percent: 30,
		Progress: wire.Progress{Targets: 10, Assigned: 4, Applied: 3},
		Verdict: &wire.Verdict{
			Outcome: "Pass", Reason: "no metric is worse than before and than the control",
			Metrics: []wire.MetricCheck{
				{
					Name: "errorRate", Outcome: "Pass", Unit: "%", N: 12340, Value: new(0.41), ControlN: 28790, Control: new(0.38),
					BaselineN: 41020, Baseline: new(0.40), Threshold: 5, P: new(0.612),
				},
				{
					Name: "latencyP99", Outcome: "Pass", Unit: "ms", N: 12340, Value: new(182.4), ControlN: 28790, Control: new(175.0),
					BaselineN: 41020, Baseline: new(179.9), Threshold: 50,
				},
				{Name: "failedChecks", Outcome: "Skipped", Unit: "%", Threshold: 10},
			},
		},
		Commit: "9f1c2ab47dd0e5b6", PullRequest: 42, InitiatedBy: "Ann Author", Cause: "Allow five retries\n\nLonger text.",
		CreatedAt: noon.Add(-2 * time.Minute), PhaseEndsAt: new(noon.Add(42 * time.Second)),
		InstanceStatus: targets(10, 3, 1, "1.4.0", "1.3.0"),
	}
}

// pictures are deployments in every state that looks its own way.
func pictures() map[string]wire.Deployment {
	waiting := canary()
	waiting.Status, waiting.Phase, waiting.Progress, waiting.Verdict = "Pending", 0, wire.Progress{Targets: 10}, nil
	waiting.Explanation = "waits for approval: the data grew from 2 KiB to 9 KiB"
	waiting.InstanceStatus = targets(10, 0, 0, "1.4.0", "1.3.0")
	waiting.PhaseEndsAt = nil

	back := canary()
	back.Status, back.Phase, back.Progress = "RolledBack", 1, wire.Progress{Targets: 10, Failed: 1}
	back.Explanation = "rolled back to 1.3.0 on all 10 instances"
	back.RollbackReason, back.RollbackBy, back.HealthRestored = "error rate 37.2 % of 940 requests, control 0.4 %, before 0.4 %", "gate", "Returned"
	back.Verdict = &wire.Verdict{Outcome: "Fail", Reason: back.RollbackReason, Metrics: []wire.MetricCheck{{
		Name: "errorRate", Outcome: "Fail", Unit: "%", N: 940, Value: new(37.2), ControlN: 8460, Control: new(0.4), Baseline: new(0.4), Threshold: 5, P: new(1e-12),
	}}}
	back.InstanceStatus = targets(10, 0, 0, "1.4.0", "1.3.0")

	refused := canary()
	refused.Progress.Failed = 2
	refused.Verdict = &wire.Verdict{Outcome: "Inconclusive", Reason: "too few requests to tell: 12 of the 100 that are needed"}
	refused.InstanceStatus[0].Error = "the check command said: pool size must be below 64 (exit status 1)"
	refused.InstanceStatus[1].Error = "reload: the service did not answer within 5s " + strings.Repeat("and went on about it ", 10)
	refused.InstanceStatus[2].Health = "Unhealthy"
	refused.InstanceStatus[9].Liveness = "Stale"

	asked := canary()
	asked.Verdict = &wire.Verdict{Outcome: "Error", Reason: "payment-success: Prometheus: connection refused", Metrics: []wire.MetricCheck{
		{
			Name: "payment-success", Provider: "prometheus", Outcome: "Error", Threshold: 99,
			Query: `100 * sum(rate(payments_total{result="ok", version="1.4.0"}[90s])) / sum(rate(payments_total{version="1.4.0"}[90s]))`,
		},
		{Name: "queue", Outcome: "Fail", N: 12, Value: new(140.0), Threshold: 100, DryRun: true},
		{Name: "probes", Provider: "probe", Query: "/healthz", Outcome: "Pass", Unit: "%", N: 3, Value: new(0.0), ControlN: 3, Control: new(0.0), Threshold: 10},
		{Name: "smoke", Provider: "webhook", Query: "smoke-tests", Outcome: "Inconclusive", Reason: "smoke says wait: 3 of 20 tests are done"},
	}}

	large := canary()
	large.Strategy, large.Steps, large.Phases = "Rolling", nil, 12
	large.Progress = wire.Progress{Targets: 240, Assigned: 96, Applied: 80, Failed: 7}
	large.InstanceStatus = targets(240, 80, 16, "1.4.0", "1.3.0")
	for i := range 7 {
		large.InstanceStatus[80+i].Error = "no space left on device"
	}

	done := canary()
	done.Status, done.Phase, done.Progress = "Completed", 4, wire.Progress{Targets: 10, Assigned: 10, Applied: 10}
	done.Explanation, done.PhaseEndsAt = "every live instance runs 1.4.0", nil
	done.InstanceStatus = targets(10, 10, 0, "1.4.0", "1.3.0")

	direct := canary()
	direct.Kind, direct.Strategy, direct.Status, direct.Steps, direct.Phases, direct.Phase = "Rollback", "Direct", "InProgress", nil, 1, 1
	direct.ConfigVersion, direct.PreviousVersion = "1.3.0", "1.4.0"
	direct.Progress = wire.Progress{Targets: 3, Assigned: 3, Applied: 1}
	direct.Commit, direct.PullRequest, direct.Cause, direct.Verdict = "", 0, "checkout is slow", nil
	direct.InstanceStatus = targets(3, 1, 2, "1.3.0", "1.4.0")
	direct.Explanation = "1 of 3 instances run 1.3.0 again"

	bare := wire.Deployment{ConfigName: "a.b", ConfigVersion: "1.0.0", Status: "Pending"}

	hostile := canary()
	hostile.ConfigName = strings.Repeat("long-name.", 30)
	hostile.Cause = "\x1b[2J\x1b]0;title\x07\u202eevil\rtext\x00"
	hostile.Explanation = "over\nseveral\nlines " + strings.Repeat("x", 300)
	hostile.InstanceStatus[0].Hostname = strings.Repeat("h", 200) + "\x1b[31m"
	hostile.InstanceStatus[0].Error = "\x1b[31mred\n\n\nlines"
	hostile.Verdict.Metrics = append(hostile.Verdict.Metrics, wire.MetricCheck{
		Name: "a metric of a very long name indeed\x1b[1m", Unit: "req/s", Value: new(123456.7), Threshold: 99.5, Outcome: "Pass",
	})

	return map[string]wire.Deployment{
		"canary": canary(), "waiting": waiting, "rolledback": back, "refused": refused, "asked": asked, "large": large,
		"completed": done, "rollback": direct, "bare": bare, "hostile": hostile,
	}
}

func TestDrawDeployment(t *testing.T) {
	t.Parallel()
	for name, d := range pictures() {
		for _, width := range []int{80, 120} {
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				t.Parallel()
				got := drawDeployment(d, look{Width: width, Unicode: true, Now: noon})
				golden(t, fmt.Sprintf("draw/%s.%d.txt", name, width), got)
			})
		}
	}
	golden(t, "draw/canary.ascii.txt", drawDeployment(canary(), look{Width: 80, Now: noon}))
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestDrawKeepsItsBounds holds for every picture at any width that a terminal
// may have: no line is wider, colours change nothing but colour, ASCII is
// ASCII, and nothing from outside reaches the terminal as a control.
func TestDrawKeepsItsBounds(t *testing.T) {
	t.Parallel()
	for name, d := range pictures() {
		for _, width := range []int{60, 72, 80, 100, 120, 200} {
			black := drawDeployment(d, look{Width: width, Unicode: true, Now: noon})
			for line := range strings.Lines(black) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s at %d: a line has %d columns: %q", name, width, n, line)
				}
			}
			if strings.ContainsAny(black, "\x1b\x00\r\x07\u202e") {
				t.Errorf("%s at %d: a control got through: %q", name, width, black)
			}
			coloured := drawDeployment(d, look{Width: width, Unicode: true, Color: true, Now: noon})
			if !strings.Contains(coloured, "\x1b[") {
				t.Errorf("%s at %d: no colour", name, width)
			}
			if trimLines(escape.ReplaceAllString(coloured, "")) != trimLines(black) {
				t.Errorf("%s at %d: colours change the text:\n%s\n%s", name, width, escape.ReplaceAllString(coloured, ""), black)
			}
			for _, r := range drawDeployment(d, look{Width: width, Now: noon}) {
				if r > 126 {
					t.Errorf("%s at %d: %q is not ASCII", name, width, r)
					break
				}
			}
		}
	}
}

func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

func TestDrawLine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"canary":    "12:00:00  payment-service.production@1.4.0  InProgress  phase 2/4  3/10 applied  gate Pass  canary 30%, 3 of 10 instances: the gate passes, 42 s to go",
		"refused":   "12:00:00  payment-service.production@1.4.0  InProgress  phase 2/4  3/10 applied  2 failed  gate Inconclusive  canary 30%, 3 of 10 instances: the gate passes, 42 s to go",
		"bare":      "12:00:00  a.b@1.0.0  Pending  0/0 applied",
		"completed": "12:00:00  payment-service.production@1.4.0  Completed  phase 4/4  10/10 applied  gate Pass  every live instance runs 1.4.0",
	} {
		if got := drawLine(pictures()[name], look{Now: noon}); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	l := look{Unicode: true}
	for _, tt := range []struct {
		rule                  string
		done, underWay, whole int
		want                  string
	}{
		{"nothing done is an empty bar", 0, 0, 10, "░░░░░░░░░░"},
		{"the least that is done shows", 1, 0, 1000, "█░░░░░░░░░"},
		{"only all of it fills the bar", 999, 0, 1000, "█████████░"},
		{"all of it fills the bar", 10, 0, 10, "██████████"},
		{"what is under way follows", 3, 2, 10, "███▒▒░░░░░"},
		{"no targets are no progress", 0, 0, 0, "░░░░░░░░░░"},
		{"more than all is all", 12, 3, 10, "██████████"},
		{"a count that fell behind does no harm", 3, -2, 10, "███░░░░░░░"},
	} {
		if got := l.bar(10, tt.done, tt.underWay, tt.whole, plain); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.rule, got, tt.want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 850 * time.Millisecond: "850ms", 42 * time.Second: "42s", 3*time.Minute + 12*time.Second: "3m12s",
		5 * time.Minute: "5m", 2*time.Hour + 5*time.Minute: "2h5m", 76 * time.Hour: "3d4h", 48 * time.Hour: "2d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %s, want %s", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 0.412: "0.41", 12.34: "12.3", 182.4: "182", 5: "5", -3.25: "-3.25"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestCompareNatural(t *testing.T) {
	t.Parallel()
	want := []string{"", "a", "web-1", "web-2", "web-9", "web-10", "web-10a", "web-11", "web-100", "web-x"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareNatural)
	if !slices.Equal(got, want) {
		t.Errorf("order is %q", got)
	}
	if compareNatural("web-01", "web-1") != 0 {
		t.Error("leading zeros count")
	}
}
