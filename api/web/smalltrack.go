package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
)

// smallHeight is that of a track in a list, in pixels.
const smallHeight = 16

// SmallTrack is the track in a list: no words, and the same signs.
func SmallTrack(d wire.Deployment) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="track small %s" width="100%%" height="%d" role="img" aria-label="%s">`, meaning(d.Status), smallHeight, template.HTMLEscapeString(trackText(d)))
	const y = smallHeight / 2
	n := len(phaseLabels(d))
	if n < 2 {
		fmt.Fprintf(&b, `<rect class="way" x="0" y="%d" width="100%%" height="6" rx="3"/><rect class="gone" x="0" y="%d" width="%.2f%%" height="6" rx="3"/></svg>`, y-3, y-3, reached(d))
		return template.HTML(b.String()) //nolint:gosec // numbers, and a text that is escaped
	}
	done := d.Phase - 1
	if d.Status == "Completed" {
		done = n
	}
	at := func(i int) float64 { return (float64(i) + .5) * 100 / float64(n) }
	fmt.Fprintf(&b, `<line class="way" x1="%.2f%%" x2="%.2f%%" y1="%d" y2="%d"/>`, at(0), at(n-1), y, y)
	if last := min(done, n-1); last > 0 {
		fmt.Fprintf(&b, `<line class="gone" x1="%.2f%%" x2="%.2f%%" y1="%d" y2="%d"/>`, at(0), at(last), y, y)
	}
	for i := range n {
		switch {
		case i < done:
			fmt.Fprintf(&b, `<circle cx="%.2f%%" cy="%d" r="4"/>`, at(i), y)
		case i == done:
			fmt.Fprintf(&b, `<circle cx="%.2f%%" cy="%d" r="6"/>`, at(i), y)
		default:
			fmt.Fprintf(&b, `<g class="ahead"><circle cx="%.2f%%" cy="%d" r="3.5"/></g>`, at(i), y)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and a text that is escaped
}

// reached is the share of the instances that run the version, in percent.
func reached(d wire.Deployment) float64 {
	switch {
	case d.Status == "Completed":
		return 100
	case d.Progress.Targets == 0:
		return 0
	}
	return 100 * float64(min(d.Progress.Applied, d.Progress.Targets)) / float64(d.Progress.Targets)
}
