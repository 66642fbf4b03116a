package web

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

// A chart is as wide as there is room: its lines are drawn in a plane of this size
// that is stretched, and its texts are not.
const (
	chartWidth  = 1000
	chartHeight = 120
	chartTop    = 18 // room above the plane, for what happened
	maxPoints   = 120
	maxDots     = 40 // so many checks have a dot each
)

// chartLines are the figures of a metric, in the order in which they are drawn.
var chartLines = []struct {
	class string
	value func(wire.Point) *float64
}{
	{"limit", func(p wire.Point) *float64 { return p.Limit }},
	{"baseline", func(p wire.Point) *float64 { return p.Baseline }},
	{"control", func(p wire.Point) *float64 { return p.Control }},
	{"updated", func(p wire.Point) *float64 { return p.Value }},
}

// Chart draws a metric over the checks: the updated instances, the control, the
// baseline, the limit, and where the way back began. Without a measured point it
// is "". It begins where all charts of the deployment do.
func Chart(s wire.Series, begins time.Time, d wire.Deployment) template.HTML {
	p, ok := planeOf(s, begins, d)
	if !ok {
		return ""
	}
	points := thin(s.Points, maxPoints)
	class := ""
	if s.Failed {
		class = " bad"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="chart%s"><ul class="y" aria-hidden="true">`, class)
	for _, v := range []float64{p.top, p.top / 2, 0} {
		fmt.Fprintf(&b, `<li>%s</li>`, template.HTMLEscapeString(onAxis(v, s.Unit)))
	}
	fmt.Fprintf(&b, `</ul><svg class="plot" width="100%%" height="%d" role="img" aria-label="%s">`, chartTop+chartHeight+2, template.HTMLEscapeString(chartText(s)))
	fmt.Fprintf(&b, `<svg y="%d" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none" overflow="visible">`, chartTop, chartHeight, chartWidth, chartHeight)
	for _, share := range []int{0, 1, 2} {
		y := share * chartHeight / 2
		fmt.Fprintf(&b, `<path class="way" d="M0 %dH%d"/>`, y, chartWidth)
	}
	for _, line := range chartLines {
		p.line(&b, line.class, points, line.value)
	}
	turned := d.RollbackAt != nil && !d.RollbackAt.Before(p.from)
	if turned {
		fmt.Fprintf(&b, `<path class="turn" d="M%.1f 0V%d"/>`, p.x(*d.RollbackAt), chartHeight)
	}
	b.WriteString(`</svg>`)
	if turned {
		x := p.x(*d.RollbackAt) * 100 / chartWidth
		anchor := "middle"
		if x > 85 {
			anchor = "end"
		} else if x < 15 {
			anchor = "start"
		}
		fmt.Fprintf(&b, `<text x="%.1f%%" y="12" text-anchor="%s">rollback</text>`, x, anchor)
	}
	fmt.Fprintf(&b, `</svg><p class="x" aria-hidden="true"><span>%s</span><span>%s UTC</span></p></div>`, clockTime(p.from, p.to), clockTime(p.to, p.from))
	return template.HTML(b.String()) //nolint:gosec // numbers, and texts that are escaped
}

// onAxis is a round number, and so without digits that say nothing.
func onAxis(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'g', 6, 64)
	if unit != "" && unit != "%" {
		unit = " " + unit
	}
	return text + unit
}

// clockTime is one end of the axis, with its day where the other end is on another.
func clockTime(at, other time.Time) string {
	if at.UTC().Format(time.DateOnly) != other.UTC().Format(time.DateOnly) {
		return at.UTC().Format("2006-01-02 15:04")
	}
	return at.UTC().Format("15:04:05")
}

// chartText is the chart for those who do not see it.
func chartText(s wire.Series) string {
	last := s.Points[len(s.Points)-1]
	for _, p := range slices.Backward(s.Points) {
		if p.Outcome == "Fail" {
			last = p
			break
		}
	}
	text := []string{report.Metric(s.Name) + " over " + count(len(s.Points), "check")}
	for _, part := range []struct {
		name  string
		value *float64
	}{{"updated", last.Value}, {"control", last.Control}, {"baseline", last.Baseline}, {"limit", last.Limit}} {
		if drawable(part.value) {
			text = append(text, part.name+" "+report.Number(*part.value, s.Unit))
		}
	}
	return strings.Join(text, ", ")
}

// thin keeps the first and the last of many points, those that failed, and as many
// of the others, evenly, as there is room for.
func thin(points []wire.Point, most int) []wire.Point {
	if len(points) <= most {
		return points
	}
	every := (len(points) + most - 1) / most
	var kept []wire.Point
	for i, p := range points {
		if i%every == 0 || i == len(points)-1 || p.Outcome == "Fail" {
			kept = append(kept, p)
		}
	}
	return kept
}

// plane places points on the chart.
type plane struct {
	from, to time.Time
	top      float64
}

// ChartsBegin is where the charts of a deployment begin: at its start, unless the checks
// that are left do not reach halfway back to it. Of a long one the first are not kept,
// and the others would be drawn in a corner.
func ChartsBegin(all []wire.Series, d wire.Deployment) time.Time {
	var first, last time.Time
	most := 0
	for _, s := range all {
		if len(s.Points) == 0 {
			continue
		}
		if at := s.Points[0].At; first.IsZero() || at.Before(first) {
			first = at
		}
		if at := s.Points[len(s.Points)-1].At; at.After(last) {
			last = at
		}
		most = max(most, len(s.Points))
	}
	if d.StartedAt == nil || most > maxDots && first.Sub(*d.StartedAt) > last.Sub(first) {
		return first
	}
	return *d.StartedAt
}

func planeOf(s wire.Series, begins time.Time, d wire.Deployment) (p plane, measured bool) {
	for _, point := range s.Points {
		for _, line := range chartLines {
			if v := line.value(point); drawable(v) {
				p.top = max(p.top, *v)
			}
		}
		measured = measured || drawable(point.Value)
	}
	if !measured {
		return p, false
	}
	p.from, p.to = s.Points[0].At, s.Points[len(s.Points)-1].At
	if !begins.IsZero() && begins.Before(p.from) {
		p.from = begins
	}
	for _, end := range []*time.Time{d.RollbackAt, d.FinishedAt} {
		if end != nil && end.After(p.to) {
			p.to = *end
		}
	}
	if !p.to.After(p.from) { // one check: in the middle
		p.from, p.to = p.from.Add(-time.Second), p.to.Add(time.Second)
	}
	p.top = nice(p.top)
	return p, true
}

func drawable(v *float64) bool { return v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) }

// nice rounds up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5, 10} {
		if v <= step*power {
			return step * power
		}
	}
	return v
}

func (p plane) x(at time.Time) float64 {
	share := float64(at.Sub(p.from)) / float64(p.to.Sub(p.from))
	return min(1, max(0, share)) * chartWidth
}

func (p plane) y(v float64) float64 { return (1 - min(1, max(0, v/p.top))) * chartHeight }

// line draws one of the figures, with a dot at each check. What is told once, such
// as a limit at the first check, goes all the way.
func (p plane) line(b *strings.Builder, class string, points []wire.Point, value func(wire.Point) *float64) {
	var way, dots strings.Builder
	n := 0
	for _, point := range points {
		v := value(point)
		if !drawable(v) {
			continue
		}
		x, y := p.x(point.At), p.y(*v)
		step := "L"
		if n == 0 {
			step = "M"
		}
		fmt.Fprintf(&way, `%s%.1f %.1f`, step, x, y)
		if class == "updated" && (len(points) <= maxDots || point.Outcome == "Fail") {
			mark := "dot"
			if point.Outcome == "Fail" {
				mark = "dot fail"
			}
			fmt.Fprintf(&dots, `<path class="%s" d="M%.1f %.1fh0"/>`, mark, x, y)
		}
		n++
		if n == 1 && class != "updated" && len(points) == 1 {
			fmt.Fprintf(&way, `M0 %.1fH%d`, y, chartWidth)
		}
	}
	if n > 0 {
		fmt.Fprintf(b, `<path class="%s" d="%s"/>%s`, class, way.String(), dots.String())
	}
}
