package report

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// The chart's size, in pixels, and the room around the plot.
const (
	chartWidth  = 640
	chartHeight = 180
	marginLeft  = 56
	marginRight = 96
	marginTop   = 14
	marginFoot  = 26
)

// Chart draws a metric over the checks as an SVG: the updated instances, the
// control, the limit, and a line where the way back began. Without
// a measured point, or where nothing ever moved, it answers "".
func Chart(s wire.Series, d wire.Deployment) string {
	frame, ok := frameOf(s, d)
	if !ok || !telling(s) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, sans-serif" font-size="11">`,
		chartWidth, chartHeight, chartWidth, chartHeight)
	fmt.Fprintf(&b, `<title>%s</title>`, html.EscapeString(summary(s)))
	frame.axes(&b)
	var ends []label
	ends = frame.line(&b, s, ends, label{name: "limit", colour: "#d97706"}, `stroke-dasharray="5 4"`, func(p wire.Point) *float64 { return p.Limit })
	ends = frame.line(&b, s, ends, label{name: "baseline", colour: "#6b7280"}, `stroke-dasharray="2 3"`, func(p wire.Point) *float64 { return p.Baseline })
	ends = frame.line(&b, s, ends, label{name: "control", colour: "#2563eb"}, `stroke-width="1.5"`, func(p wire.Point) *float64 { return p.Control })
	ends = frame.line(&b, s, ends, label{name: "updated", colour: "#dc2626"}, `stroke-width="2"`, func(p wire.Point) *float64 { return p.Value })
	write(&b, ends)
	if d.RollbackAt != nil {
		x := frame.x(*d.RollbackAt)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="currentColor" stroke-opacity=".5"/>`, x, marginTop, x, chartHeight-marginFoot)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="currentColor">rollback</text>`, x, marginTop-3)
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// summary is the chart for those who do not see it.
func summary(s wire.Series) string {
	last := s.Points[len(s.Points)-1]
	for _, p := range slices.Backward(s.Points) {
		if p.Outcome == "Fail" {
			last = p
			break
		}
	}
	text := []string{fmt.Sprintf("%s over %d checks", Metric(s.Name), len(s.Points))}
	for _, part := range []struct {
		name  string
		value *float64
	}{{"updated", last.Value}, {"control", last.Control}, {"baseline", last.Baseline}, {"limit", last.Limit}} {
		if part.value != nil {
			text = append(text, part.name+" "+number(*part.value, s.Unit))
		}
	}
	return strings.Join(text, ", ")
}

// frame places points on the chart.
type frame struct {
	from, to time.Time
	top      float64
	unit     string
}

func frameOf(s wire.Series, d wire.Deployment) (frame, bool) {
	f := frame{unit: s.Unit}
	measured := false
	for _, p := range s.Points {
		for _, v := range []*float64{p.Value, p.Control, p.Baseline, p.Limit} {
			if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
				f.top = max(f.top, *v)
			}
		}
		measured = measured || p.Value != nil
	}
	if !measured {
		return f, false
	}
	f.from, f.to = s.Points[0].At, s.Points[len(s.Points)-1].At
	if d.StartedAt != nil && d.StartedAt.Before(f.from) {
		f.from = *d.StartedAt
	}
	for _, end := range []*time.Time{d.RollbackAt, d.FinishedAt} {
		if end != nil && end.After(f.to) {
			f.to = *end
		}
	}
	if !f.to.After(f.from) { // one check: in the middle
		f.from, f.to = f.from.Add(-time.Second), f.to.Add(time.Second)
	}
	f.top = nice(f.top)
	return f, true
}

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

func (f frame) x(at time.Time) float64 {
	share := float64(at.Sub(f.from)) / float64(f.to.Sub(f.from))
	return marginLeft + min(1, max(0, share))*(chartWidth-marginLeft-marginRight)
}

func (f frame) y(v float64) float64 {
	return marginTop + (1-min(1, max(0, v/f.top)))*(chartHeight-marginTop-marginFoot)
}

func (f frame) axes(b *strings.Builder) {
	for _, v := range []float64{0, f.top / 2, f.top} {
		y := f.y(v)
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="currentColor" stroke-opacity=".15"/>`, marginLeft, y, chartWidth-marginRight, y)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="currentColor" fill-opacity=".7">%s</text>`, marginLeft-6, y+4, html.EscapeString(number(v, f.unit)))
	}
	for _, end := range []struct {
		at     time.Time
		anchor string
	}{{f.from, "start"}, {f.to, "end"}} {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s" fill="currentColor" fill-opacity=".7">%s</text>`,
			f.x(end.at), chartHeight-8, end.anchor, end.at.UTC().Format("15:04:05"))
	}
}

// label names a line at its end.
type label struct {
	name, colour string
	x, y         float64
}

// line draws one of the series' figures, with a dot at each check, and adds its
// label to the others.
func (f frame) line(b *strings.Builder, s wire.Series, ends []label, l label, style string, value func(wire.Point) *float64) []label {
	var path []string
	var dots strings.Builder
	for _, p := range s.Points {
		if v := value(p); v != nil && !math.IsNaN(*v) {
			l.x, l.y = f.x(p.At), f.y(*v)
			path = append(path, fmt.Sprintf("%.1f,%.1f", l.x, l.y))
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="2" fill="%s"/>`, l.x, l.y, l.colour)
		}
	}
	if len(path) == 0 {
		return ends
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" %s/>%s`, strings.Join(path, " "), l.colour, style, dots.String())
	return append(ends, l)
}

// write puts the labels to the right of the plot, none over another.
func write(b *strings.Builder, ends []label) {
	const apart = 12
	slices.SortStableFunc(ends, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := range ends {
		if i > 0 {
			ends[i].y = max(ends[i].y, ends[i-1].y+apart)
		}
	}
	if over := len(ends) - 1; over >= 0 && ends[over].y > chartHeight-marginFoot {
		ends[over].y = chartHeight - marginFoot
		for i := over - 1; i >= 0; i-- {
			ends[i].y = min(ends[i].y, ends[i+1].y-apart)
		}
	}
	for _, l := range ends {
		fmt.Fprintf(b, `<text x="%d" y="%.1f" fill="%s">%s</text>`, chartWidth-marginRight+8, l.y+4, l.colour, l.name)
	}
}
