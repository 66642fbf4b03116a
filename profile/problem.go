package profile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a Problem stops a profile from being used.
type Severity string

// The severities of a Problem.
const (
	Error   Severity = "error"   // the profile makes no version
	Warning Severity = "warning" // the profile is used all the same
)

// Problem is one thing wrong, at a place. It is an error.
type Problem struct {
	Path     string   `json:"path"`             // file in the repository
	Line     int      `json:"line,omitempty"`   // from 1; 0 when the whole file is meant
	Column   int      `json:"column,omitempty"` // from 1
	Field    string   `json:"field,omitempty"`  // JSON path such as $.data.maxRetries
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
}

// Error returns the problem as a compiler would print it: path:line:column: message.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteByte(':')
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", p.Line, max(p.Column, 1))
		}
		b.WriteByte(' ')
	}
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Field != "" && !strings.Contains(p.Message, p.Field) {
		b.WriteString(" (" + p.Field + ")")
	}
	return b.String()
}

// Problems is every problem found in one load, in the order of their places. It is an error.
type Problems []Problem

// Error returns one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// FieldError is one value that breaks a rule, by its JSON path in the data ("$.maxRetries").
type FieldError struct {
	Path    string `json:"path"`
	Message string `json:"message"`

	keys     []string // the path as keys and indexes, to find the place that set the value
	aboutKey bool     // the key should not be there, whatever its value
}

// Error returns the path and the message.
func (e FieldError) Error() string { return e.Path + ": " + e.Message }

// collector gathers problems up to a cap, so that a hostile file cannot make a report larger than itself.
type collector struct {
	errors   Problems
	warnings Problems
	max      int
	dropped  int
}

func (c *collector) add(p Problem) {
	p.Path, p.Message = printable(p.Path), printable(p.Message)
	list := &c.errors
	if p.Severity == Warning {
		list = &c.warnings
	}
	if len(*list) >= c.max {
		c.dropped++
		return
	}
	if !slices.Contains(*list, p) {
		*list = append(*list, p)
	}
}

// printable escapes what could move a terminal's cursor or start a new line in a log.
func printable(s string) string {
	clean := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if !strings.ContainsFunc(s, clean) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// err returns the gathered errors as one error, or nil.
func (c *collector) err() error {
	if len(c.errors) == 0 {
		return nil
	}
	c.errors.sort()
	if c.dropped > 0 {
		last := c.errors[len(c.errors)-1]
		c.errors = append(c.errors, Problem{Path: last.Path, Severity: Error,
			Message: fmt.Sprintf("and %d more problems", c.dropped)})
	}
	return c.errors
}
