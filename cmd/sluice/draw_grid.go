package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/api/wire"
)

// The grid stays a glance: named cells while they fit in a few rows, signs
// alone beyond, and a bounded number of reasons.
const (
	gridRows    = 8
	gridReasons = 5
	gridName    = 24
)

// cell is one instance of the grid.
type cell struct {
	sign   string
	colour colour
	name   string
	note   string // version, or what is wrong
	reason string // why it could not apply
}

// grid shows every instance: which version it runs and how it does.
func (l look) grid(d wire.Deployment) []string {
	if len(d.InstanceStatus) == 0 {
		return nil
	}
	targets := slices.Clone(d.InstanceStatus)
	slices.SortFunc(targets, func(a, b wire.InstanceStatus) int {
		return cmp.Or(compareNatural(a.Hostname, b.Hostname), cmp.Compare(a.InstanceID, b.InstanceID))
	})
	cells := make([]cell, len(targets))
	for i, t := range targets {
		cells[i] = l.cellOf(t, d.ConfigVersion)
	}
	lines := append([]string{""}, l.namedCells(cells)...)
	return append(lines, l.reasons(cells)...)
}

func (l look) cellOf(t wire.InstanceStatus, version string) cell {
	g := l.glyphs()
	c := cell{
		name: l.cut(cmp.Or(oneLine(t.Hostname), oneLine(t.InstanceID)), gridName),
		note: dash(oneLine(t.AppliedVersion)),
	}
	switch {
	case t.Liveness != "" && t.Liveness != "Live":
		c.sign, c.colour, c.note = g.silent, dim, strings.ToLower(oneLine(t.Liveness))
	case t.Error != "":
		c.sign, c.colour, c.note, c.reason = g.bad, red, "refused", oneLine(t.Error)
	case t.DesiredVersion != "" && t.AppliedVersion != t.DesiredVersion:
		c.sign, c.colour = g.flight, yellow
	case t.AppliedVersion == version:
		c.sign, c.colour = g.fresh, green
	default:
		c.sign, c.colour = g.old, plain
	}
	if t.Health == "Unhealthy" && c.sign != g.silent {
		c.colour = red
		if t.Error == "" {
			c.note += "!"
		}
	}
	return c
}

// namedCells lays the cells out in columns; when they would take too many rows
// only their signs are shown.
func (l look) namedCells(cells []cell) []string {
	names, notes := 0, 0
	for _, c := range cells {
		names = max(names, utf8.RuneCountInString(c.name))
		notes = max(notes, utf8.RuneCountInString(c.note))
	}
	width := 1 + 1 + names + 1 + notes
	columns := max(1, (l.Width-2+3)/(width+3))
	rows := (len(cells) + columns - 1) / columns
	if rows > gridRows {
		return l.bareCells(cells)
	}
	// Fewer, even columns look calmer than a full row and a remainder.
	columns = (len(cells) + rows - 1) / rows
	lines := make([]string, 0, rows)
	for row := range slices.Chunk(cells, columns) {
		parts := make([]string, len(row))
		for i, c := range row {
			parts[i] = l.paint(c.colour, c.sign) + " " + pad(c.name, names) + " " + l.paint(dim, pad(c.note, notes))
		}
		lines = append(lines, "  "+strings.Join(parts, "   "))
	}
	return lines
}

// bareCells shows signs alone, in blocks of ten that the eye can count, with
// how many of each there are.
func (l look) bareCells(cells []cell) []string {
	blocks := max(1, (l.Width-2+1)/11)
	var lines []string
	for row := range slices.Chunk(cells, blocks*10) {
		var b strings.Builder
		for i, c := range row {
			if i > 0 && i%10 == 0 {
				b.WriteByte(' ')
			}
			b.WriteString(l.paint(c.colour, c.sign))
		}
		lines = append(lines, "  "+b.String())
	}
	g := l.glyphs()
	var legend []string
	for _, s := range []struct{ sign, word string }{
		{g.fresh, "new"}, {g.flight, "on the way"}, {g.old, "before"}, {g.bad, "refused"}, {g.silent, "silent"},
	} {
		n := 0
		for _, c := range cells {
			if c.sign == s.sign {
				n++
			}
		}
		if n > 0 {
			legend = append(legend, fmt.Sprintf("%s %d %s", s.sign, n, s.word))
		}
	}
	return append(lines, "  "+l.paint(dim, strings.Join(legend, "   ")))
}

// reasons tells why instances refused, the first few of them.
func (l look) reasons(cells []cell) []string {
	var lines []string
	more := 0
	for _, c := range cells {
		switch {
		case c.reason == "":
		case len(lines) == gridReasons:
			more++
		default:
			lines = append(lines, "  "+l.paint(red, l.cut(l.glyphs().bad+" "+c.name+": "+c.reason, l.Width-2)))
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// compareNatural orders names as people count: web-9 before web-10.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits counts the leading digits of s.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
