package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// canvas is the part of a terminal that is drawn over and over.
type canvas struct {
	out      io.Writer
	terminal bool
	lines    int
	last     []string
}

func newCanvas(sh *shell, out io.Writer) canvas {
	return canvas{out: out, terminal: sh.onTerminal(out) && sh.getenv("TERM") != "dumb"}
}

// draw draws lines over those before, in one write so that nothing flickers.
// What is taller than the terminal is cut: it could not be drawn over.
func (c *canvas) draw(lines []string, l look) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line == "" })
	if room := max(3, l.Height-1); len(lines) > room {
		more := fmt.Sprintf("%s %s more, the terminal is too small", l.glyphs().more, plural(len(lines)-room+1, "line"))
		lines = append(lines[:room-1], l.paint(dim, more)+"\n")
	}
	c.last = lines
	var b strings.Builder
	if c.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", c.lines)
	}
	for _, line := range lines {
		b.WriteString("\x1b[2K" + line)
	}
	b.WriteString("\x1b[J")
	c.lines = len(lines)
	fmt.Fprint(c.out, b.String())
}

// note draws what was last drawn with a line below it.
func (c *canvas) note(line string) {
	kept := c.last
	c.draw(append(slices.Clone(kept), line), look{Height: len(kept) + 3})
	c.last = kept
}
