package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// metrics are the gate's own in words.
var metrics = map[string]string{
	"errorRate": "error rate", "latencyP99": "latency p99", "failedChecks": "unhealthy heartbeats", "probes": "failed probes",
	"apply": "instances that could not apply it", "heartbeats": "heartbeats",
}

// Metric is a metric's name for people.
func Metric(name string) string {
	if word, ok := metrics[name]; ok {
		return word
	}
	return name
}

// Number writes a measurement with the digits that matter, and its unit.
func Number(v float64, unit string) string {
	digits := 2
	switch abs := math.Abs(v); {
	case abs >= 100 || v == math.Trunc(v):
		digits = 0
	case abs >= 10:
		digits = 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	switch unit {
	case "":
		return text
	case "%":
		return text + "%"
	}
	return text + " " + unit
}

// Figure is a measurement, or a dash for what was not measured.
func Figure(v *float64, unit string) string {
	if v == nil {
		return "–"
	}
	return Number(*v, unit)
}

// Chance writes a probability, or a dash for one that was not reckoned.
func Chance(p *float64) string {
	switch {
	case p == nil:
		return "–"
	case *p < 0.0001:
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", *p)
}

// cell is somebody else's text inside a table of Markdown: on one line, without
// a bar, and as text.
func cell(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return markdown.Replace(text)
}

// markdown takes the meaning from what Markdown and HTML would read as markup.
var markdown = strings.NewReplacer(
	`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`, "@", "&#64;",
)
