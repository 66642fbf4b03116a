package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/profile"
)

func newSchemaCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "schema",
		Short: "Register, list, check by, approve and deprecate schemas",
		Long: `Schemas that are registered by API: for the profiles that the API manages, and for
those of Git whose repository has no schemas/ID.yaml. Production deploys only
against an Approved one.`,
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newSchemaRegister(conn), newSchemaList(conn), newSchemaGet(conn), newSchemaValidate(conn), newSchemaApprove(conn), newSchemaDeprecate(conn))
	return cmd
}

func newSchemaRegister(conn *connection) *cobra.Command {
	var req wire.RegisterSchemaRequest
	cmd := &cobra.Command{
		Use:   "register ID FILE",
		Short: "Register a version of a schema",
		Long: `Register a version of a schema from a file, JSON Schema 2020-12 as JSON or YAML; -
is standard input. It is compared with the newest Approved version, or else the
newest, and with what the profiles under it have now.

Exit code 1: it is registered, and waits for approval because of what it breaks.`,
		Example: `  sluice schema register payment-config.v1 payment-config.yaml --compatibility Backward`,
		Args:    needs(2, "an id and a file: sluice schema register ID FILE"),
	}
	format := outputFlag(cmd)
	conn.completes(cmd, schemaNames)
	cmd.Flags().StringVar(&req.Version, "version", "", "its semantic version, above those that there are; otherwise derived")
	cmd.Flags().StringVar(&req.Compatibility, "compatibility", "", "None, Backward, Forward or Full; otherwise as the definition or the version before says")
	complete(cmd, "compatibility", func(string) []string { return words(profile.Compatibilities()) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		src, err := conn.sh.readFile(args[1])
		if err != nil {
			return err
		}
		req.SchemaID = args[0]
		if req.SchemaDefinition, err = json.Marshal(string(src)); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		s, err := r.c.RegisterSchema(cmd.Context(), req)
		if err != nil {
			return err
		}
		if err := conn.sh.show(*format, schemaSheet(s, "is registered: "+schemaStands(s))); err != nil {
			return err
		}
		if s.Status == string(profile.SchemaPending) {
			return notSo(nil)
		}
		return nil
	}
	return cmd
}

func words[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

func newSchemaList(conn *connection) *cobra.Command {
	var f client.SchemaFilter
	cmd := &cobra.Command{Use: "list", Aliases: []string{"ls"}, Short: "List the versions of schemas", Args: nothing}
	cmd.Flags().StringVar(&f.Status, "status", "", "only with this status: Draft, PendingApproval, Approved or Deprecated")
	cmd.Flags().StringVar(&f.SchemaID, "id", "", "only of this schema")
	complete(cmd, "status", func(string) []string { return words(profile.SchemaStatuses()) })
	conn.completeFlag(cmd, "id", schemaNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, _ []string) (listing, error) {
		list, err := client.All(ctx, func(ctx context.Context, l client.List) (wire.Page[wire.Schema], error) {
			f.List = l
			return r.c.Schemas(ctx, f)
		})
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(list))
		for i, s := range list {
			names[i] = s.SchemaID + "@" + s.Version
		}
		return listing{value: list, kind: "schema", names: names, empty: "no schemas are registered", table: func(l look) table {
			t := table{header: []string{"SCHEMA", "VERSION", "STATUS", "COMPATIBILITY", "BREAKS", "MADE", "BY"}, paint: paintSchemaStatus(2)}
			for _, s := range list {
				t.rows = append(t.rows, []string{s.SchemaID, s.Version, s.Status, s.Compatibility, breaksWord(s), l.agoPtr(s.CreatedAt), dash(s.CreatedBy)})
			}
			return t
		}}, nil
	})
}

func paintSchemaStatus(at int) func(int, string) colour {
	return func(column int, text string) colour {
		switch {
		case column != at:
			return plain
		case text == string(profile.SchemaPending):
			return yellow
		case text == string(profile.SchemaApproved):
			return green
		case text == string(profile.SchemaDeprecated):
			return dim
		}
		return plain
	}
}

// breaksWord says what a version breaks, in a cell.
func breaksWord(s wire.Schema) string {
	n := 0
	for _, b := range s.Breaks {
		if !b.OpenName {
			n++
		}
	}
	if n == 0 {
		return "-"
	}
	return plural(n, "place") + " of " + s.ComparedWith
}

func newSchemaGet(conn *connection) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show a schema, its definition and its versions",
		Args: needs(1, "a schema's id: sluice schema get ID (sluice schema list shows them)"),
	}
	format := outputFlag(cmd)
	conn.completes(cmd, schemaNames)
	cmd.Flags().StringVar(&version, "version", "", "this version instead of the newest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		s, err := r.c.Schema(cmd.Context(), args[0], version)
		if err != nil {
			return err
		}
		return conn.sh.show(*format, schemaSheet(s, ""))
	}
	return cmd
}

func newSchemaValidate(conn *connection) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use: "validate ID FILE", Short: "Check data by a schema; nothing is stored",
		Long: `Check a profile's data, JSON or YAML, by a schema: by its newest Approved version,
or else the newest. - is standard input. Exit code 1: it does not satisfy it.`,
		Args: needs(2, "a schema's id and a file with data: sluice schema validate ID FILE"),
	}
	format := outputFlag(cmd)
	conn.completes(cmd, schemaNames)
	cmd.Flags().StringVar(&version, "version", "", "by this version of the schema")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		data, err := conn.sh.dataFile(args[1])
		if err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		got, err := r.c.ValidateData(cmd.Context(), args[0], wire.ValidateDataRequest{ConfigData: profile.Canonical(data), Version: version})
		if err != nil {
			return err
		}
		text := func(l look) string {
			var b strings.Builder
			for _, e := range got.Errors {
				fmt.Fprintln(&b, l.paint(red, oneLine(e.Path+": "+e.Message)))
			}
			fmt.Fprintf(&b, "%s %s: %s\n", oneLine(args[0]), oneLine(got.SchemaVersion), plural(len(got.Errors), "error"))
			return b.String()
		}
		if err := conn.sh.show(*format, listing{value: got, text: text}); err != nil {
			return err
		}
		if !got.IsValid {
			return notSo(nil)
		}
		return nil
	}
	return cmd
}

func newSchemaApprove(conn *connection) *cobra.Command {
	var order wire.SchemaOrder
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a version of a schema: Production may be deployed to under it",
		Long: `Approve a version of a schema. Nothing that runs is touched: profiles whose newest
version does not satisfy it are listed, and their next version must.

For a schema of Git that breaks what it declared, it lets the deployments start
that wait for that. Needs the role Admin.`,
		Args: needs(1, "a schema's id: sluice schema approve ID (sluice schema list --status PendingApproval shows what waits)"),
	}
	format := outputFlag(cmd)
	conn.completes(cmd, schemaNames)
	cmd.Flags().StringVar(&order.Version, "version", "", "this version instead of the newest")
	cmd.Flags().StringVar(&order.Reason, "reason", "", "why; kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return conn.orderSchema(cmd, *format, "is Approved", func(ctx context.Context, r remote) (wire.Schema, error) {
			return r.c.ApproveSchema(ctx, args[0], order)
		})
	}
	return cmd
}

func newSchemaDeprecate(conn *connection) *cobra.Command {
	var order wire.SchemaOrder
	cmd := &cobra.Command{
		Use:   "deprecate ID --reason TEXT",
		Short: "End the use of a version of a schema, for good",
		Long: `End the use of a version of a schema: it cannot be approved again. Nothing that
runs is touched. Needs the role Admin.`,
		Args: needs(1, "a schema's id: sluice schema deprecate ID --reason TEXT"),
	}
	format := outputFlag(cmd)
	conn.completes(cmd, schemaNames)
	cmd.Flags().StringVar(&order.Version, "version", "", "this version instead of the newest")
	cmd.Flags().StringVar(&order.Reason, "reason", "", "why (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(order.Reason) == "" {
			return errors.New("needs --reason: whoever meets the schema is told it")
		}
		return conn.orderSchema(cmd, *format, "is Deprecated", func(ctx context.Context, r remote) (wire.Schema, error) {
			return r.c.DeprecateSchema(ctx, args[0], order)
		})
	}
	return cmd
}

func (c *connection) orderSchema(cmd *cobra.Command, format, done string, order func(context.Context, remote) (wire.Schema, error)) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	s, err := order(cmd.Context(), r)
	if err != nil {
		return err
	}
	return c.sh.show(format, schemaSheet(s, done))
}

// schemaSheet shows one version of a schema; after an order it says only what
// came of it, without the definition.
func schemaSheet(s wire.Schema, done string) listing {
	return listing{value: s, kind: "schema", names: []string{s.SchemaID + "@" + s.Version}, text: func(l look) string {
		var b strings.Builder
		if done == "" {
			p := sheet{l: l}
			p.head(s.SchemaID+" "+s.Version, s.Status, paintSchemaStatus(0)(0, s.Status))
			p.say("compatible", s.Compatibility)
			p.say("made", strings.TrimSpace(l.agoPtr(s.CreatedAt)+" "+s.CreatedBy))
			p.say("approved", s.ApprovedBy)
			p.say("deprecated", s.DeprecationReason)
			b.WriteString(p.b.String())
		} else {
			fmt.Fprintf(&b, "%s %s\n", oneLine(strings.TrimSpace(s.SchemaID+" "+s.Version)), done)
		}
		for _, one := range s.Breaks {
			word, c := "breaks "+one.Direction, yellow
			if one.OpenName {
				word, c = "note", dim
			}
			fmt.Fprintf(&b, "  %s  %s\n", l.paint(c, word), oneLine(one.Path+": "+one.Message))
		}
		for _, v := range s.Violations {
			for _, e := range v.Errors {
				fmt.Fprintf(&b, "  %s  %s\n", l.paint(yellow, "violated"), oneLine(v.ConfigName+" "+v.Version+": "+e.Path+": "+e.Message))
			}
		}
		for _, id := range s.Started {
			fmt.Fprintf(&b, "  started  %s\n", oneLine(id))
		}
		if done == "" {
			for _, v := range s.Versions {
				fmt.Fprintf(&b, "  %s  %s %s\n", l.paint(dim, "version"), oneLine(v.Version), oneLine(v.Status))
			}
			fmt.Fprintf(&b, "\n%s\n", clean(string(indented(s.SchemaDefinition))))
		}
		if done != "" && s.Status == string(profile.SchemaPending) {
			fmt.Fprintf(&b, "approve it: sluice schema approve %s --version %s\n", oneLine(s.SchemaID), oneLine(s.Version))
		}
		return b.String()
	}}
}

// schemaStands says where a version stands that was registered.
func schemaStands(s wire.Schema) string {
	if s.ComparedWith != "" {
		return fmt.Sprintf("%s, %s with %s", oneLine(s.Status), oneLine(s.Compatibility), oneLine(s.ComparedWith))
	}
	return oneLine(s.Status)
}

func indented(definition json.RawMessage) []byte {
	var v any
	if json.Unmarshal(definition, &v) != nil {
		return definition
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return definition
	}
	return out
}

func schemaNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Schemas(ctx, client.SchemaFilter{List: client.List{Limit: completionNames}})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []cobra.Completion
	for _, s := range page.Items {
		if !seen[s.SchemaID] {
			seen[s.SchemaID] = true
			out = append(out, described(s.SchemaID, s.Version+" "+s.Status))
		}
	}
	return out, nil
}
