package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/report"
)

func newReportCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report DEPLOYMENT",
		Short: "Tell what a deployment did: changes, numbers, instances, time line",
		Long: `Tell what a deployment did, above all after a rollback: what changed, which
metric showed it with its numbers, which instances had it, and when what
happened from the merge to the last acknowledgement. It is Markdown, to paste
where people talk about it; the page is at SERVER/deployments/DEPLOYMENT.`,
		Args: needs(1, "a deployment: sluice report DEPLOYMENT; sluice get deployments lists them"),
	}
	conn := connected(sh, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		out, err := r.c.DeploymentReport(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		_, err = io.WriteString(sh.stdout, report.Markdown(out))
		return err
	}
	return cmd
}
