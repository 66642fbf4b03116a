package main

import "strings"

// colour is an SGR code; the few that are used read on dark and light screens.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

// paint colours s where the look allows it.
func (l look) paint(c colour, s string) string {
	if !l.Color || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// glyphs are the signs a picture is made of. Every one is one column wide, and
// no two mean different things by colour alone.
type glyphs struct {
	full, partly, empty             string // of a bar
	fresh, flight, old, bad, silent string // instances
	done, now, ahead                string // steps
	arrow, dot, more, rule          string
}

var (
	unicodeGlyphs = glyphs{
		full: "█", partly: "▒", empty: "░",
		fresh: "■", flight: "◧", old: "□", bad: "✗", silent: "·",
		done: "✓", now: "●", ahead: "○",
		arrow: "→", dot: "·", more: "…", rule: "─",
	}
	asciiGlyphs = glyphs{
		full: "#", partly: "=", empty: ".",
		fresh: "#", flight: "~", old: "-", bad: "x", silent: "?",
		done: "+", now: "*", ahead: "o",
		arrow: "->", dot: "|", more: "...", rule: "-",
	}
)

func (l look) glyphs() glyphs {
	if l.Unicode {
		return unicodeGlyphs
	}
	return asciiGlyphs
}

// bar draws three shares of a whole in width columns: what is done, what is
// under way, and the rest. Anything above nothing shows, and only a full
// count fills the bar.
func (l look) bar(width, done, underWay, whole int, c colour) string {
	g := l.glyphs()
	if whole <= 0 {
		return l.paint(dim, strings.Repeat(g.empty, width))
	}
	full := cells(width, done, whole)
	reached := max(full, cells(width, done+underWay, whole))
	return l.paint(c, strings.Repeat(g.full, full)+strings.Repeat(g.partly, reached-full)) +
		l.paint(dim, strings.Repeat(g.empty, width-reached))
}

// cells is how many of width columns part of whole fills.
func cells(width, part, whole int) int {
	switch {
	case part <= 0:
		return 0
	case part >= whole:
		return width
	}
	return min(max(1, width*part/whole), width-1)
}

// statusColour is the colour of a deployment's status.
func statusColour(status string) colour {
	switch status {
	case "Completed":
		return green
	case "InProgress":
		return cyan
	case "Paused", "Pending":
		return yellow
	case "RollingBack", "RolledBack", "Failed":
		return red
	}
	return dim
}

// outcomeColour is the colour of a gate's outcome or a commit status' state.
func outcomeColour(outcome string) colour {
	switch outcome {
	case "Pass", "success":
		return green
	case "Fail", "failure", "Error", "error":
		return red
	case "Inconclusive", "pending":
		return yellow
	}
	return dim
}
