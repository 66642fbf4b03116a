package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// Ahead draws the way that a strategy would take, with nothing of it gone yet.
func Ahead(s *wire.Strategy) template.HTML {
	if s == nil {
		return ""
	}
	labels := aheadLabels(*s)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="track off" width="100%%" height="%d" role="img" aria-label="%s">`, trackHeight,
		template.HTMLEscapeString(s.Type+": "+strings.Join(labels, ", then ")))
	stations(&b, wire.Deployment{}, labels)
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and texts that are escaped
}

// aheadLabels are the names of the phases, at most maxSteps of them.
func aheadLabels(s wire.Strategy) []string {
	switch s.Type {
	case "Canary":
		labels := make([]string, len(s.Steps))
		for i, percent := range s.Steps {
			labels[i] = fmt.Sprintf("%d%%", percent)
		}
		if len(labels) > maxSteps {
			labels = append(labels[:maxSteps-2], "…", labels[len(labels)-1])
		}
		return labels
	case "Rolling":
		return batchLabels(s.BatchSize)
	case "BlueGreen":
		return []string{"the idle group", "verified", "switched", "the other group"}
	}
	if s.MaxConcurrency > 0 {
		return []string{fmt.Sprintf("%d at a time", s.MaxConcurrency)}
	}
	return []string{"all at once"}
}

// batchLabels are the first batches of a Rolling and its last.
func batchLabels(size string) []string {
	number, percent := strings.CutSuffix(size, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return []string{size + " at a time"}
	}
	if !percent {
		return []string{number, strconv.Itoa(2 * n), strconv.Itoa(3 * n), "…", "all"}
	}
	var labels []string
	for at := n; at < 100; at += n {
		labels = append(labels, fmt.Sprintf("%d%%", at))
	}
	if len(labels) > maxSteps-1 {
		labels = append(labels[:3], "…")
	}
	return append(labels, "100%")
}
