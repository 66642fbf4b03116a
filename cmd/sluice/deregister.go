package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newDeregisterCommand(sh *shell) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "deregister INSTANCE",
		Short: "Remove an instance that is gone for good",
		Long: `Remove an instance that is gone for good, so that no deployment waits for it. One
that still runs registers again and is a new instance.

On a terminal it asks first; --yes does not ask.`,
		Args: needs(1, "an instance: sluice deregister INSTANCE (sluice get instances lists them)"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, instanceNames)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		i, err := r.c.Instance(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s on %s:%d", oneLine(i.ServiceName), oneLine(i.Hostname), i.Port)
		if !yes && sh.onTerminal(sh.stdin) {
			l := sh.lookOf(sh.stderr)
			answer, err := sh.askUntil(cmd.Context(), fmt.Sprintf("Removes %s, %s, seen %s. Go on? [y/N] ", what, oneLine(i.Liveness), l.ago(i.LastHeartbeat)))
			if err != nil {
				return err
			}
			if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
				return notSo(errors.New("nothing was done"))
			}
		}
		if err := r.c.Deregister(cmd.Context(), args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "%s is removed\n", what)
		return err
	}
	return cmd
}
