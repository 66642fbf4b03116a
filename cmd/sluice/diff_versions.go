package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

// diffVersions shows what differs between two versions that the daemon has.
func diffVersions(ctx context.Context, conn *connection, format, name, from, to string) error {
	r, err := conn.open()
	if err != nil {
		return err
	}
	d, err := r.c.Diff(ctx, name, from, to)
	if err != nil {
		return err
	}
	if err := conn.sh.show(format, diffListing(d, name+" "+from, name+" "+to)); err != nil {
		return err
	}
	if len(changedFields(d.Diff)) > 0 {
		return notSo(nil)
	}
	return nil
}

func diffListing(d wire.DiffResponse, from, to string) listing {
	fields := changedFields(d.Diff)
	return listing{value: d, names: fields, text: func(l look) string {
		if len(fields) == 0 {
			return "no difference\n"
		}
		text := fmt.Sprintf("--- %s\n+++ %s\n", oneLine(from), oneLine(to)) + changeLines(d.Diff)
		if l.Color {
			text = colourDiff(text)
		}
		return text + diffSummary(d) + "\n"
	}}
}

// diffSummary says in one line how much changed, and whether it breaks.
func diffSummary(d wire.DiffResponse) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{len(d.Diff.Added), "added"}, {len(d.Diff.Removed), "removed"}, {len(d.Diff.Modified), "modified"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "no difference"
	}
	text := strings.Join(parts, ", ")
	if d.IsBreakingChange {
		text += ", breaking"
	}
	return text
}

// changedFields are the fields that differ, in order.
func changedFields(d wire.Diff) []string {
	var fields []string
	for _, c := range allChanges(d) {
		fields = append(fields, c.Field)
	}
	return fields
}

func allChanges(d wire.Diff) []wire.FieldChange {
	all := slices.Concat(d.Added, d.Removed, d.Modified)
	slices.SortStableFunc(all, func(a, b wire.FieldChange) int { return cmp.Compare(a.Field, b.Field) })
	return all
}

// changeLines are the lines of a unified diff, a field each with what it was and what it is.
func changeLines(d wire.Diff) string {
	added, removed := map[string]bool{}, map[string]bool{}
	for _, c := range d.Added {
		added[c.Field] = true
	}
	for _, c := range d.Removed {
		removed[c.Field] = true
	}
	var b strings.Builder
	for _, c := range allChanges(d) {
		if !added[c.Field] {
			fmt.Fprintf(&b, "-%s: %s\n", oneLine(c.Field), plainJSON(c.OldValue))
		}
		if !removed[c.Field] {
			fmt.Fprintf(&b, "+%s: %s\n", oneLine(c.Field), plainJSON(c.NewValue))
		}
	}
	return b.String()
}

func plainJSON(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "?"
	}
	return oneLine(b.String())
}

// filesOrVersions offers files for the first argument, and versions once it is
// clear that the first one is a profile.
func (c *connection) filesOrVersions(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if len(args) == 0 {
		return c.live(ctx, profileNames, nil, toComplete), cobra.ShellCompDirectiveDefault
	}
	if len(args) > 2 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.live(ctx, versionNames, args[:1], toComplete), cobra.ShellCompDirectiveDefault
}
