package main

import (
	"io"
	"strings"
)

// table is rows under a header, columns as wide as their widest text.
type table struct {
	header []string
	rows   [][]string
	paint  func(column int, text string) colour // may be nil
}

// lastColumn is the least room in which a cut last column still says something.
const lastColumn = 20

// write prints the table. On a terminal (narrow) the last column is cut to the
// width, when enough of it remains to be read; never in a pipe, where another
// program may want it all.
func (t table) write(w io.Writer, l look, narrow bool) error {
	all := append([][]string{t.header}, t.rows...)
	for _, row := range all {
		for i := range row {
			row[i] = oneLine(row[i])
		}
	}
	widths := columnWidths(all)
	var b strings.Builder
	for n, row := range all {
		used := 0
		var line strings.Builder
		for i, text := range row {
			last := i == len(row)-1
			if room := l.Width - used; last && narrow && room >= lastColumn {
				text = l.cut(text, room)
			}
			shown := text
			if !last {
				shown = pad(text, widths[i]) + "  "
				used += widths[i] + 2
			}
			line.WriteString(l.paint(t.colourOf(n, i, text), shown))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t table) colourOf(row, column int, text string) colour {
	switch {
	case row == 0:
		return dim
	case t.paint != nil:
		return t.paint(column, text)
	}
	return plain
}
