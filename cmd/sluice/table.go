package main

import (
	"io"
	"slices"
	"strings"
)

// table is rows under a header, columns as wide as their widest text.
type table struct {
	header []string
	rows   [][]string
	paint  func(column int, text string) colour // may be nil
	// spare are the columns that a narrow terminal can do without, the first to go first.
	spare []string
	// least is the room in which a cut last column still says something; 0 is lastColumn.
	least int
}

// layout says how a table is written.
type layout struct {
	narrow   bool // to the terminal's width; never in a pipe, where another program may want it all
	headless bool
}

// lastColumn is the least room in which a cut last column still says something.
const lastColumn = 20

// write prints the table. On a narrow terminal, columns without a word in them
// go first, then the spare ones; then the last one is cut to the width, when
// enough of it remains to be read.
func (t table) write(w io.Writer, l look, how layout) error {
	_, err := io.WriteString(w, strings.Join(t.lines(l, how), ""))
	return err
}

// lines are the lines of the table, the header's first unless it is left out.
func (t table) lines(l look, how layout) []string {
	all := make([][]string, 0, len(t.rows)+1)
	for _, row := range append([][]string{t.header}, t.rows...) {
		clean := make([]string, len(row))
		for i, text := range row {
			clean[i] = oneLine(text)
		}
		all = append(all, clean)
	}
	kept := t.columns(all, l, how)
	widths := columnWidths(all)
	lines := make([]string, 0, len(all))
	for n, row := range all {
		if n > 0 || !how.headless {
			lines = append(lines, t.line(n, row, kept, widths, l, how))
		}
	}
	return lines
}

func (t table) line(n int, row []string, kept, widths []int, l look, how layout) string {
	used := 0
	var line strings.Builder
	for at, i := range kept {
		text := row[i]
		last := at == len(kept)-1
		if room := l.Width - used; last && how.narrow && room > 0 {
			text = l.cut(text, room)
		}
		shown := text
		if !last {
			shown = pad(text, widths[i]) + "  "
			used += widths[i] + 2
		}
		line.WriteString(l.paint(t.colourOf(n, i, text), shown))
	}
	return strings.TrimRight(line.String(), " ") + "\n"
}

// columns are the columns that are shown.
func (t table) columns(all [][]string, l look, how layout) []int {
	kept := make([]int, len(t.header))
	for i := range kept {
		kept[i] = i
	}
	if !how.narrow {
		return kept
	}
	widths := columnWidths(all)
	drop := func(column int) {
		if len(kept) > 1 && !t.fits(kept, widths, l.Width) {
			kept = slices.DeleteFunc(kept, func(i int) bool { return i == column })
		}
	}
	for i := len(t.header) - 1; i > 0; i-- {
		if saysNothing(t.rows, i) {
			drop(i)
		}
	}
	for _, name := range t.spare {
		drop(slices.Index(t.header, name))
	}
	return kept
}

func (t table) leastLast() int {
	if t.least > 0 {
		return t.least
	}
	return lastColumn
}

// saysNothing reports a column that is empty in every row.
func saysNothing(rows [][]string, column int) bool {
	return !slices.ContainsFunc(rows, func(row []string) bool {
		return column < len(row) && row[column] != "-" && row[column] != ""
	})
}

// fits says that the columns have room, the last one at least enough to be read.
func (t table) fits(kept, widths []int, width int) bool {
	used := 0
	for _, i := range kept[:len(kept)-1] {
		used += widths[i] + 2
	}
	return used+min(widths[kept[len(kept)-1]], t.leastLast()) <= width
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
