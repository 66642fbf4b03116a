package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// maxSteps is how many phases have a sign of their own: of more, as of a Rolling
// in many batches, only the share is drawn.
const maxSteps = 8

// The track's size in pixels; it is as wide as there is room.
const (
	trackHeight = 48
	trackLine   = 14 // where the line is, from above
)

// Track draws how far a deployment is: a sign for each phase, filled up to where
// it stands, in the colour of how it does.
func Track(d wire.Deployment) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="track %s" width="100%%" height="%d" role="img" aria-label="%s">`, meaning(d.Status), trackHeight, template.HTMLEscapeString(trackText(d)))
	if labels := phaseLabels(d); len(labels) > 0 {
		stations(&b, d, labels)
	} else {
		share(&b, d)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and texts that are escaped
}

// trackText is the track for those who do not see it.
func trackText(d wire.Deployment) string {
	at := fmt.Sprintf("%s: phase %d of %d, %d%% of the instances", spaced(d.Status), d.Phase, max(d.Phases, d.Phase), d.Percent)
	if d.Phase == 0 {
		at = spaced(d.Status) + ": before the first phase"
	}
	return fmt.Sprintf("%s; %d of %d instances run %s", at, d.Progress.Applied, d.Progress.Targets, d.ConfigVersion)
}

// phaseLabels are the names of the phases, none where there are too many.
func phaseLabels(d wire.Deployment) []string {
	if len(d.Steps) > 0 && len(d.Steps) <= maxSteps && (d.Strategy == "Canary" || d.Strategy == "") {
		var labels []string
		for _, percent := range d.Steps {
			labels = append(labels, fmt.Sprintf("%d%%", percent))
		}
		return labels
	}
	if d.Phases < 1 || d.Phases > maxSteps || d.Kind == "Rollback" {
		return nil
	}
	labels := make([]string, d.Phases)
	for i := range labels {
		labels[i] = fmt.Sprint(i + 1)
	}
	if d.Phase > 0 && d.Phase <= d.Phases && d.PhaseName != "" {
		labels[d.Phase-1] = d.PhaseName
	}
	return labels
}

// stations draws a sign for each phase.
func stations(b *strings.Builder, d wire.Deployment, labels []string) {
	n := float64(len(labels))
	at := func(i int) float64 { return (float64(i) + .5) * 100 / n }
	reached := d.Phase - 1 // 0-based
	if d.Status == "Completed" {
		reached = len(labels) - 1
	}
	fmt.Fprintf(b, `<line class="way" x1="%.2f%%" x2="%.2f%%" y1="%d" y2="%d"/>`, at(0), at(len(labels)-1), trackLine, trackLine)
	if reached > 0 {
		fmt.Fprintf(b, `<line class="gone" x1="%.2f%%" x2="%.2f%%" y1="%d" y2="%d"/>`, at(0), at(min(reached, len(labels)-1)), trackLine, trackLine)
	}
	for i, label := range labels {
		class, sign := "ahead", `<circle r="6"/>`
		switch {
		case i < reached || d.Status == "Completed":
			class, sign = "done", `<circle r="8"/><path class="mark" d="M-3.4 .2l2.4 2.4 4.2-4.8"/>`
		case i == reached:
			class, sign = "here", hereSign(d.Status)
		}
		fmt.Fprintf(b, `<svg class="station %s" x="%.2f%%" y="%d" overflow="visible">%s<text y="28">%s</text></svg>`, class, at(i), trackLine, sign, template.HTMLEscapeString(label))
	}
}

// hereSign marks the present phase, or where a deployment was turned round.
func hereSign(status string) string {
	switch meaning(status) {
	case "bad":
		return `<circle r="9"/><path class="mark" d="M-3 -3l6 6M3 -3l-6 6"/>`
	case "warn":
		return `<circle r="9"/><path class="mark" d="M-2.4 -3.4v6.8M2.4 -3.4v6.8"/>`
	case "off":
		return `<circle r="9"/><path class="mark" d="M-3.4 0h6.8"/>`
	}
	return `<circle class="halo" r="12"/><circle r="6"/>`
}

// share draws the part of the instances that run the version.
func share(b *strings.Builder, d wire.Deployment) {
	percent := 0.0
	if d.Progress.Targets > 0 {
		percent = 100 * float64(min(d.Progress.Applied, d.Progress.Targets)) / float64(d.Progress.Targets)
	}
	if d.Status == "Completed" {
		percent = 100
	}
	fmt.Fprintf(b, `<rect class="way" x="0" y="%d" width="100%%" height="8" rx="4"/><rect class="gone" x="0" y="%d" width="%.2f%%" height="8" rx="4"/>`, trackLine-4, trackLine-4, percent)
	fmt.Fprintf(b, `<text class="from" x="0" y="%d">%d of %d</text>`, trackLine+28, d.Progress.Applied, d.Progress.Targets)
	if d.Phases > 1 && d.Phase > 0 {
		fmt.Fprintf(b, `<text class="to" x="100%%" y="%d">phase %d of %d</text>`, trackLine+28, d.Phase, d.Phases)
	}
}
