package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes text from elsewhere safe to print: a commit message or a host
// name must not move the cursor or write over another line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// oneLine is clean text without line breaks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(clean(s)), " ")
}

// cut shortens s to width columns and says so with a mark.
func (l look) cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	mark := l.glyphs().more
	keep := width - utf8.RuneCountInString(mark)
	if keep <= 0 {
		return string([]rune(s)[:max(0, width)])
	}
	return strings.TrimRight(string([]rune(s)[:keep]), " ") + mark
}

// pad fills s with blanks to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// padLeft is pad for numbers.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}

// wrap breaks s at blanks into lines of at most width columns; a longer word
// is cut, so that every line fits.
func (l look) wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		word = l.cut(word, width)
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// span says a length of time in at most two units: 850ms, 42s, 3m12s, 2h5m, 3d4h.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return twoUnits(int(d.Minutes()), "m", int(d.Seconds())%60, "s")
	case d < 24*time.Hour:
		return twoUnits(int(d.Hours()), "h", int(d.Minutes())%60, "m")
	default:
		return twoUnits(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
	}
}

func twoUnits(big int, bigUnit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d%s", big, bigUnit)
	}
	return fmt.Sprintf("%d%s%d%s", big, bigUnit, small, smallUnit)
}

// ago says how long before the look's now a time was, "-" for never.
func (l look) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	if d := l.Now.Sub(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "now"
}

// agoPtr is ago for a time that may be missing.
func (l look) agoPtr(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return l.ago(*t)
}

// short is a commit as people read it.
func short(commit string) string {
	return oneLine(commit[:min(8, len(commit))])
}

// firstLine is the first line of a message.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return oneLine(s)
}

// dash is s, or "-" when there is none.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count groups the digits of n by threes: 12,340.
func count(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
