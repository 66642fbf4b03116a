package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newLoggingCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logging",
		Short: "Say what the daemons log, and change it for a while",
		Long: `Say what the daemons log, who changed it and until when. Needs the role Admin.

What is configured (log_level) counts again when the time of a change is over.`,
		Args: nothing,
	}
	conn := connected(sh, cmd)
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		l, err := r.c.Logging(cmd.Context())
		if err != nil {
			return err
		}
		return sh.show(*format, loggingListing(l))
	}
	cmd.AddCommand(newLoggingSetCommand(sh, conn), newLoggingResetCommand(sh, conn))
	return cmd
}

func newLoggingSetCommand(sh *shell, conn *connection) *cobra.Command {
	var req wire.LoggingRequest
	var components []string
	cmd := &cobra.Command{
		Use:   "set LEVEL [--component NAME] [--for 15m]",
		Short: "Log another level on every replica, for some time",
		Long: `Log another level, debug, info, warn or error, on every replica for some time,
a day at most. With --component, which may be repeated, only those parts of the
daemon log it; sluice logging names them. A change takes the place of the one
before.`,
		Args:      cobra.ExactArgs(1),
		ValidArgs: logLevels,
	}
	cmd.Flags().StringArrayVar(&components, "component", nil, "part of the daemon that logs it, such as engine; may be repeated (default: everything)")
	cmd.Flags().StringVar(&req.ExpiresIn, "for", "15m", "how long")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(components) == 0 {
			req.Level = args[0]
		} else {
			req.Components = map[string]string{}
			for _, name := range components {
				req.Components[name] = args[0]
			}
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		l, err := r.c.SetLogging(cmd.Context(), req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sh.stdout, loggingText(l))
		return err
	}
	return cmd
}

func newLoggingResetCommand(sh *shell, conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Log what is configured again, before the time is over",
		Args:  nothing,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		l, err := r.c.ResetLogging(cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sh.stdout, loggingText(l))
		return err
	}
	return cmd
}

// logLevels are the levels that can be asked for.
var logLevels = []string{"debug", "info", "warn", "error"}

// loggingText says in one line what is logged.
func loggingText(l wire.Logging) string {
	text := "logged from " + oneLine(l.Level)
	if own := componentLevels(l); own != "" {
		text += ", " + own
	}
	if l.ExpiresAt == nil {
		return text + ", as configured"
	}
	return fmt.Sprintf("%s until %s, then from %s", text, l.ExpiresAt.UTC().Format(time.RFC3339), oneLine(l.Configured))
}

// componentLevels are the levels that components have of their own, by name.
func componentLevels(l wire.Logging) string {
	var own []string
	for _, name := range slices.Sorted(maps.Keys(l.Components)) {
		own = append(own, oneLine(name)+" from "+oneLine(l.Components[name]))
	}
	return strings.Join(own, ", ")
}

func loggingListing(l wire.Logging) listing {
	return listing{value: l, names: []string{l.Level}, table: func(look) table {
		rows := [][]string{{"(everything)", oneLine(l.Level), "-", "-"}}
		if l.ExpiresAt != nil {
			rows[0][2], rows[0][3] = l.ExpiresAt.UTC().Format(time.RFC3339), dash(l.Actor)
		}
		for _, name := range l.KnownComponents {
			row := []string{oneLine(name), rows[0][1], rows[0][2], rows[0][3]}
			if own := l.Components[name]; own != "" {
				row[1] = oneLine(own)
			}
			rows = append(rows, row)
		}
		return table{header: []string{"COMPONENT", "LEVEL", "UNTIL", "BY"}, rows: rows}
	}}
}
