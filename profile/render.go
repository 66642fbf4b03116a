package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Unified renders the difference as text, one line a field with what it was (-) and what it is (+), under the two names.
// It renders what it is given: Masked first, wherever people can see it. An empty difference is an empty string.
func (d Diff) Unified(oldName, newName string) string {
	if d.Empty() {
		return ""
	}
	type line struct {
		field    string
		old, new *any
	}
	var lines []line
	for _, c := range d.Added {
		lines = append(lines, line{c.Field, nil, &c.New})
	}
	for _, c := range d.Removed {
		lines = append(lines, line{c.Field, &c.Old, nil})
	}
	for _, c := range d.Modified {
		lines = append(lines, line{c.Field, &c.Old, &c.New})
	}
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.field, b.field) })
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", printable(oldName), printable(newName))
	for _, l := range lines {
		if l.old != nil {
			fmt.Fprintf(&b, "-%s: %s\n", l.field, printable(string(canonicalValue(*l.old))))
		}
		if l.new != nil {
			fmt.Fprintf(&b, "+%s: %s\n", l.field, printable(string(canonicalValue(*l.new))))
		}
	}
	return b.String()
}

// Summary says in a few words what changed: "2 added, 1 removed, 3 modified".
func (d Diff) Summary() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{len(d.Added), "added"}, {len(d.Removed), "removed"}, {len(d.Modified), "modified"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "no change"
	}
	return strings.Join(parts, ", ")
}
