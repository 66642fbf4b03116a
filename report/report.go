package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// Build makes a deployment's report. The checks and events may come in any
// order; changes is nil where there is no version before.
func Build(d wire.Deployment, checks []wire.Check, events []wire.AuditEvent, changes *wire.DiffResponse) wire.Report {
	checks = slices.SortedFunc(slices.Values(checks), func(a, b wire.Check) int { return a.At.Compare(b.At) })
	r := wire.Report{
		Deployment: d, Changes: changes, Verdict: deciding(d, checks), Headline: headline(d),
		TimeLine: timeLine(d, events), Durations: durations(d),
	}
	r.Series = series(d, checks, r.Verdict)
	return r
}

// headline says it in one sentence.
func headline(d wire.Deployment) string {
	what := fmt.Sprintf("%s %s", d.ConfigName, d.ConfigVersion)
	switch {
	case d.Kind == "Rollback" && d.PreviousVersion != "":
		return fmt.Sprintf("%s was brought back in place of %s by %s: %s", what, d.PreviousVersion, d.InitiatedBy, d.Cause)
	case d.Status == "RolledBack" || d.Status == "RollingBack":
		return fmt.Sprintf("%s was rolled back to %s%s: %s", what, d.PreviousVersion, byWhom(d), d.RollbackReason)
	}
	return fmt.Sprintf("%s is %s: %s", what, d.Status, cmp.Or(d.Explanation, d.Cause))
}

func byWhom(d wire.Deployment) string {
	switch d.RollbackBy {
	case "", "cancel":
		return ""
	case "gate", "deadline":
		return " by the " + d.RollbackBy
	}
	return " by " + d.RollbackBy
}

// deciding is the check that decided: the last one that failed, or the last one.
func deciding(d wire.Deployment, checks []wire.Check) *wire.Verdict {
	for _, c := range slices.Backward(checks) {
		if c.Verdict.Outcome == "Fail" {
			return &c.Verdict
		}
	}
	return d.Verdict
}

// series collects what the checks measured. The fleet's health before and after
// is the first and the last point of it.
func series(d wire.Deployment, checks []wire.Check, decided *wire.Verdict) []wire.Series {
	var all []wire.Series
	at := func(m wire.MetricCheck) *wire.Series {
		i := slices.IndexFunc(all, func(s wire.Series) bool { return s.Name == m.Name })
		if i < 0 {
			all = append(all, wire.Series{Name: m.Name, Unit: m.Unit, Points: []wire.Point{}})
			i = len(all) - 1
		}
		return &all[i]
	}
	for _, c := range checks {
		for _, m := range c.Verdict.Metrics {
			s := at(m)
			s.Points = append(s.Points, point(c.At, m))
		}
	}
	if d.Recovery != nil && d.FinishedAt != nil {
		for _, m := range d.Recovery.Metrics {
			s := at(m)
			s.Points = append(s.Points, point(*d.FinishedAt, m))
		}
	}
	for i := range all {
		all[i].Failed = decided != nil && slices.ContainsFunc(decided.Metrics, func(m wire.MetricCheck) bool {
			return m.Name == all[i].Name && m.Outcome == "Fail"
		})
	}
	slices.SortStableFunc(all, func(a, b wire.Series) int { return -cmp.Compare(rank(a), rank(b)) })
	return all
}

// rank puts what decided first, and what was never measured last.
func rank(s wire.Series) int {
	switch {
	case s.Failed:
		return 2
	case slices.ContainsFunc(s.Points, func(p wire.Point) bool { return p.Value != nil }):
		return 1
	}
	return 0
}

func point(at time.Time, m wire.MetricCheck) wire.Point {
	return wire.Point{At: at, Outcome: m.Outcome, Value: m.Value, Control: m.Control, Baseline: m.Baseline, Limit: m.Limit}
}

// durations measure the way from merge to the last acknowledgement.
func durations(d wire.Deployment) wire.Durations {
	var out wire.Durations
	out.MergeToStart = span(d.CommittedAt, d.StartedAt)
	out.StartToDetected = span(d.StartedAt, d.RollbackAt)
	out.DetectedToBack = span(d.RollbackAt, lastBack(d))
	out.Whole = span(d.StartedAt, d.FinishedAt)
	return out
}

// lastBack is when the last instance said to be back; nil while one is missing.
func lastBack(d wire.Deployment) *time.Time {
	var last *time.Time
	for _, e := range d.Exposures {
		if e.BackAt == nil {
			return nil
		}
		if last == nil || e.BackAt.After(*last) {
			last = e.BackAt
		}
	}
	return last
}

func span(from, to *time.Time) string {
	if from == nil || to == nil || to.Before(*from) {
		return ""
	}
	return profile.Duration(to.Sub(*from).Round(time.Millisecond)).String()
}
