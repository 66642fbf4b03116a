package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newFreezeCommand(sh *shell) *cobra.Command {
	var req wire.FreezeRequest
	cmd := &cobra.Command{
		Use:   "freeze --reason TEXT [--for 2h]",
		Short: "Stop every rollout where it stands; rollbacks go on",
		Long: `Stop every rollout where it stands: until sluice unfreeze, or until its time is
over, no deployment starts and none enters a further phase, on any profile. Gates
go on judging, and what leads back is never held up: automatic rollbacks, sluice
rollback and sluice cancel.

A freeze that is in force is replaced. An Admin gets one deployment past it with
force and a reason.`,
		Args: nothing,
	}
	conn := connected(sh, cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the audit log and shown with everything that waits (required)")
	cmd.Flags().StringVar(&req.ExpiresIn, "for", "", "how long, such as 2h; otherwise until sluice unfreeze")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strings.TrimSpace(req.Reason) == "" {
			return errors.New("needs --reason: it is shown with everything that waits")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		f, err := r.c.BeginFreeze(cmd.Context(), req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sh.stdout, frozenText(f))
		return err
	}
	return cmd
}

func newUnfreezeCommand(sh *shell) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "unfreeze --reason TEXT",
		Short: "End a freeze: what it held up goes on",
		Args:  nothing,
	}
	conn := connected(sh, cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log (required)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("needs --reason: it is kept in the audit log")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		if err := r.c.EndFreeze(cmd.Context(), reason); err != nil {
			return err
		}
		_, err = fmt.Fprintln(sh.stdout, "nothing is frozen any more")
		return err
	}
	return cmd
}

// frozenText says whether rollouts are frozen, since when, by whom and why.
func frozenText(f wire.Freeze) string {
	if !f.Frozen {
		return "nothing is frozen"
	}
	text := "every rollout is frozen"
	if f.BegunAt != nil {
		text += " since " + f.BegunAt.UTC().Format(time.RFC3339)
	}
	if f.ExpiresAt != nil {
		text += " until " + f.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s by %s: %s", text, oneLine(f.Actor), oneLine(f.Reason))
}

func freezeListing(f wire.Freeze) listing {
	frozen := "no"
	if f.Frozen {
		frozen = "yes"
	}
	return listing{value: f, names: []string{frozen}, table: func(l look) table {
		until := "-"
		if f.ExpiresAt != nil {
			until = f.ExpiresAt.UTC().Format(time.RFC3339)
		}
		return table{
			header: []string{"FROZEN", "BY", "SINCE", "UNTIL", "REASON"},
			rows:   [][]string{{frozen, dash(f.Actor), l.agoPtr(f.BegunAt), until, dash(f.Reason)}},
			paint: func(column int, text string) colour {
				if column == 0 && text == "yes" {
					return yellow
				}
				return plain
			},
		}
	}}
}

// showFreeze says on the side that rollouts are frozen. When the daemon cannot
// say, whatever else was asked for is still shown.
func (r remote) showFreeze(ctx context.Context, sh *shell) {
	if f, err := r.c.Freeze(ctx); err == nil && f.Frozen {
		fmt.Fprintln(sh.stderr, frozenText(f))
	}
}
