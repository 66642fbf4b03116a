package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
)

// metricNames are the gate's own metrics in words.
var metricNames = map[string]string{
	"errorRate":    "error rate",
	"latencyP99":   "latency p99",
	"failedChecks": "failed checks",
	"apply":        "apply",
	"probes":       "probes",
}

// gate is the verdict with the numbers it rests on.
func (l look) gate(v *wire.Verdict) []string {
	if v == nil || v.Outcome == "" {
		return nil
	}
	lines := []string{""}
	head := "  gate " + l.paint(outcomeColour(v.Outcome), oneLine(v.Outcome))
	indent := utf8.RuneCountInString("  gate " + oneLine(v.Outcome) + "  ")
	for i, line := range l.wrap(oneLine(v.Reason), l.Width-indent) {
		if i == 0 {
			lines = append(lines, head+"  "+line)
		} else {
			lines = append(lines, strings.Repeat(" ", indent)+line)
		}
	}
	if v.Reason == "" {
		lines = append(lines, head)
	}
	if len(v.Metrics) == 0 {
		return lines
	}
	return append(lines, l.metrics(v.Metrics)...)
}

// Columns of the table of metrics that can be done without.
const (
	columnBefore = 3
	columnLimit  = 4
	columnN      = 5
	columnP      = 6
)

// metrics is the table of numbers: columns that no metric fills are left out.
func (l look) metrics(metrics []wire.MetricCheck) []string {
	rows := [][]string{{"", "updated", "control", "before", "limit", "n", "p", ""}}
	for _, m := range metrics {
		name, known := metricNames[m.Name]
		if !known {
			name = oneLine(m.Name)
		}
		p := ""
		if m.P != nil {
			p = chance(*m.P)
		}
		rows = append(rows, []string{
			l.cut(name, 16), value(m.Value, m.Unit), value(m.Control, m.Unit), value(m.Baseline, m.Unit),
			limit(m), count(m.N), p, outcome(m),
		})
	}
	return append(l.metricLines(rows, l.metricWidths(rows)), l.queries(metrics)...)
}

// outcome says when nothing follows from it.
func outcome(m wire.MetricCheck) string {
	if m.DryRun {
		return oneLine(m.Outcome) + " (dry run)"
	}
	return oneLine(m.Outcome)
}

// queries are what was sent to Prometheus, under the numbers that it answered.
func (l look) queries(metrics []wire.MetricCheck) []string {
	var lines []string
	for _, m := range metrics {
		if m.Provider == "prometheus" && m.Query != "" {
			lines = append(lines, l.paint(dim, "    "+l.cut(oneLine(m.Name)+": "+oneLine(m.Query), l.Width-4)))
		}
	}
	return lines
}

// metricWidths are the columns' widths: 0 for one that no metric fills, and for
// those that the look has no room for, the least needed first.
func (l look) metricWidths(rows [][]string) []int {
	widths := columnWidths(rows)
	last := len(widths) - 1
	for i := 1; i < last; i++ {
		if !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != "" }) {
			widths[i] = 0
		}
	}
	for _, i := range []int{columnP, columnN, columnBefore, columnLimit} {
		total := 4 + widths[0] + 2 + widths[last]
		for _, w := range widths[1:last] {
			if w > 0 {
				total += 2 + w
			}
		}
		if total <= l.Width {
			break
		}
		widths[i] = 0
	}
	return widths
}

func (l look) metricLines(rows [][]string, widths []int) []string {
	lines := make([]string, 0, len(rows))
	last := len(widths) - 1
	for n, row := range rows {
		parts := []string{"  ", pad(row[0], widths[0])}
		for i := 1; i < last; i++ {
			if widths[i] > 0 {
				parts = append(parts, padLeft(row[i], widths[i]))
			}
		}
		line := strings.Join(parts, "  ")
		if n == 0 {
			lines = append(lines, l.paint(dim, line))
			continue
		}
		lines = append(lines, line+"  "+l.paint(outcomeColour(strings.TrimSuffix(row[last], " (dry run)")), row[last]))
	}
	return lines
}

func columnWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

// value is a measured number with its unit, "" when nothing was measured.
func value(v *float64, unit string) string {
	if v == nil {
		return ""
	}
	return strings.TrimSpace(number(*v) + " " + oneLine(unit))
}

// limit is how much worse the updated instances may be; what it is counted in
// depends on the metric.
func limit(m wire.MetricCheck) string {
	switch m.Provider {
	case "webhook":
		return ""
	case "probe":
		return number(m.Threshold) + " %"
	}
	switch m.Name {
	case "errorRate":
		return "+" + number(m.Threshold) + " pp"
	case "latencyP99":
		return "+" + number(m.Threshold) + " %"
	case "failedChecks":
		return number(m.Threshold) + " %"
	case "apply":
		return ""
	}
	return value(&m.Threshold, m.Unit)
}

// number writes a measurement with the digits that matter.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// chance writes a probability; below one in a thousand only that matters.
func chance(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
