package main

import (
	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/report"
)

func newReportCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report DEPLOYMENT|PROFILE",
		Short: "Tell what a deployment did: changes, numbers, instances, time line",
		Long: `Tell what a deployment did, above all after a rollback: what changed, which
metric showed it with its numbers, which instances had it, and when what
happened from the merge to the last acknowledgement. It is Markdown, to paste
where people talk about it; the page is at SERVER/deployments/DEPLOYMENT. Of a
profile it is the newest deployment.`,
		Args: needs(1, "a deployment or a profile: sluice report PROFILE"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentOrProfileNames)
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		id, err := r.deploymentID(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		out, err := r.c.DeploymentReport(cmd.Context(), id)
		if err != nil {
			return err
		}
		return sh.show(*format, listing{value: out, kind: "deployment", names: []string{id}, text: func(look) string { return report.Markdown(out) }})
	}
	return cmd
}
