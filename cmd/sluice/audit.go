package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/profile"
)

const auditLong = `List what was done, by whom and when, newest first. The audit log is never changed.

--since and --until take a time (2026-11-01T06:00:00Z), a day (2026-11-01, from
its beginning, UTC) or how long ago (2h, 7d).

sluice audit export writes all that matches, for a spreadsheet or a program;
sluice audit verify checks, on the database itself or with --remote through the
daemon, that no row was changed.`

// auditOptions narrow the audit log, as flags say it.
type auditOptions struct {
	client.AuditFilter
	since, until string
	limit        int
}

func newAuditCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what was done, by whom and when",
		Long:  auditLong,
		Example: `  sluice audit --since 2h
  sluice audit --entity payment-service.production
  sluice audit --user ada --type RollbackOrdered -o json`,
		Args: nothing,
	}
	conn := connected(sh, cmd)
	var o auditOptions
	o.flags(cmd, conn)
	cmd.Flags().IntVar(&o.limit, "limit", 50, "at most this many")
	lister(conn, cmd, func(ctx context.Context, r remote, _ []string) (listing, error) {
		filter, err := o.filter(sh.now())
		if err != nil {
			return listing{}, err
		}
		events, err := upTo(ctx, o.limit, func(ctx context.Context, l client.List) (wire.Page[wire.AuditEvent], error) {
			filter.List = l
			return r.c.Audit(ctx, filter)
		})
		if err != nil {
			return listing{}, err
		}
		return auditListing(events), nil
	})
	cmd.AddCommand(newAuditExport(conn), newAuditVerify(sh, conn))
	return cmd
}

func (o *auditOptions) flags(cmd *cobra.Command, conn *connection) {
	flags := cmd.Flags()
	flags.StringVar(&o.EntityID, "entity", "", "only of this profile, deployment, instance, ...")
	flags.StringVar(&o.EntityType, "entity-type", "", "only of this kind of entity, e.g. deployment")
	flags.StringVar(&o.User, "user", "", "only what this user did")
	flags.StringVar(&o.EventType, "type", "", "only this type of event")
	flags.StringVar(&o.since, "since", "", "only from then on: a time, a day, or how long ago")
	flags.StringVar(&o.until, "until", "", "only before then: a time, a day, or how long ago")
	conn.completeFlag(cmd, "entity", deploymentOrProfileNames)
}

func (o *auditOptions) filter(now time.Time) (client.AuditFilter, error) {
	f := o.AuditFilter
	f.EntityID = bare(f.EntityID)
	var err error
	if f.Since, err = timeOf(o.since, now); err != nil {
		return f, fmt.Errorf("--since: %w", err)
	}
	if f.Until, err = timeOf(o.until, now); err != nil {
		return f, fmt.Errorf("--until: %w", err)
	}
	return f, nil
}

var errTime = errors.New("must be a time (2026-11-01T06:00:00Z), a day (2026-11-01) or how long ago (2h, 7d)")

// timeOf reads a time, a day or how long ago; "" is the zero time.
func timeOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok && !strings.HasPrefix(text, "P") {
		text = "P" + days + "D"
	}
	ago, err := profile.ParseDuration(text)
	if err != nil {
		return time.Time{}, errTime
	}
	return now.Add(-ago.Std()), nil
}

func auditListing(events []wire.AuditEvent) listing {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = fmt.Sprint(e.ID)
	}
	return listing{value: events, kind: "event", names: names, empty: "no events", table: func(l look) table {
		t := table{header: []string{"ID", "WHEN", "WHAT", "OF", "BY", "DETAILS"}, spare: []string{"ID"}}
		for _, e := range events {
			of, details := e.EntityID, e.Details
			if name, ok := details["profile"].(string); ok { // says more to people than a deployment's id, which -o json has
				of, details = name, maps.Clone(details)
				delete(details, "profile")
			}
			t.rows = append(t.rows, []string{fmt.Sprint(e.ID), l.ago(e.CreatedAt), e.EventType, dash(of), dash(e.User), detailsText(details)})
		}
		return t
	}}
}

// detailsText are an event's details on one line: the reason first, which is what people look for.
func detailsText(details map[string]any) string {
	keys := slices.Sorted(maps.Keys(details))
	if i := slices.Index(keys, "reason"); i > 0 {
		keys = append([]string{"reason"}, slices.Delete(keys, i, i+1)...)
	}
	parts := make([]string, 0, len(keys))
	for _, key := range keys {
		text, ok := details[key].(string)
		if !ok {
			text = plainJSON(details[key])
		}
		if text != "" {
			parts = append(parts, key+"="+text)
		}
	}
	return strings.Join(parts, " ")
}

func newAuditExport(conn *connection) *cobra.Command {
	var o auditOptions
	var format, file string
	cmd := &cobra.Command{
		Use:   "export --format csv|ndjson",
		Short: "Write all events that match, as CSV or a line of JSON each",
		Long: `Write all events that match, oldest page last, to standard output or a file. An
export that breaks off ends with an error, and leaves no file.`,
		Args: nothing,
	}
	o.flags(cmd, conn)
	cmd.Flags().StringVar(&format, "format", "csv", "csv or ndjson")
	cmd.Flags().StringVar(&file, "to", "", "file to write; standard output when missing")
	complete(cmd, "format", func(string) []string { return []string{"csv", "ndjson"} })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		kind, ok := map[string]string{"csv": "text/csv", "ndjson": "application/x-ndjson"}[format]
		if !ok {
			return fmt.Errorf("unknown export format %q, want csv or ndjson", format)
		}
		filter, err := o.filter(conn.sh.now())
		if err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		if file == "" {
			return r.c.ExportAudit(cmd.Context(), filter, kind, conn.sh.stdout)
		}
		return writeWhole(file, func(w io.Writer) error { return r.c.ExportAudit(cmd.Context(), filter, kind, w) })
	}
	return cmd
}
