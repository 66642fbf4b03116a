package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newNotifyCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "notify",
		Short: "Try the targets of notifications",
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newNotifyTest(conn))
	return cmd
}

func newNotifyTest(conn *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "test TARGET",
		Short: "Send a sample to a target and say what it answers",
		Long: `Have the daemon send a sample to one of the targets of its settings, and print
the status that the target answers with. Ends with 1 when it did not take it.
An Alertmanager gets alerts that are over already. Needs the role Admin.`,
		Args: needs(1, "the name of a target: sluice notify test TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := conn.open()
			if err != nil {
				return err
			}
			test, err := r.c.TestNotification(cmd.Context(), args[0])
			if isNotFound(err) {
				return fmt.Errorf("the daemon's settings name no target %q, see notifications.targets in its sluice.yaml", args[0])
			}
			if err != nil {
				return err
			}
			if !test.Taken {
				return &exitError{code: exitProblems, err: fmt.Errorf("%s did not take it: %s", oneLine(test.Target), oneLine(test.Answer))}
			}
			_, err = fmt.Fprintf(conn.sh.stdout, "%s took it: %s\n", oneLine(test.Target), oneLine(test.Answer))
			return err
		},
	}
}
