package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newHealthCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health DEPLOYMENT|PROFILE",
		Short: "Show what a deployment's gate measures, and its last checks",
		Long: `Show what the gate of a deployment, or of a profile's newest one, measures on the
updated instances, on those without the change and before it, how each instance
does, and what the last checks said. It has at most the last 100 checks.`,
		Args: needs(1, "a deployment or a profile: sluice health PROFILE"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentOrProfileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		id, err := r.deploymentID(ctx, args[0])
		if err != nil {
			return listing{}, err
		}
		h, err := r.c.DeploymentHealth(ctx, id)
		if err != nil {
			return listing{}, err
		}
		return listing{value: h, kind: "deployment", names: []string{id}, text: func(l look) string { return drawHealth(h, l) }}, nil
	})
}

// shownChecks is how many checks people are shown; -o json has them all.
const shownChecks = 10

func drawHealth(h wire.DeploymentHealth, l look) string {
	out := &sheet{l: l}
	lines := l.gate(h.Verdict)
	if len(lines) == 0 {
		lines = []string{"", "  nothing was judged yet"}
	}
	out.b.WriteString(strings.Join(lines[1:], "\n") + "\n")
	instances := table{header: []string{"HOST", "HEALTH", "LIVENESS", "RUNS", "SHOULD RUN", "SINCE", "ERROR"}, spare: []string{"SINCE", "SHOULD RUN", "LIVENESS"}}
	for _, t := range h.Targets {
		instances.rows = append(instances.rows, []string{t.Hostname, dash(t.Health), dash(t.Liveness), dash(t.AppliedVersion), dash(t.DesiredVersion), l.agoPtr(t.AppliedAt), dash(t.Error)})
	}
	out.table("instances", instances)
	checks := table{header: []string{"CHECKED", "PHASE", "OUTCOME", "WHY"}, paint: func(column int, text string) colour {
		if column == 2 {
			return outcomeColour(text)
		}
		return plain
	}}
	for _, c := range h.Checks[:min(shownChecks, len(h.Checks))] {
		checks.rows = append(checks.rows, []string{l.ago(c.At), fmt.Sprint(c.Phase), c.Verdict.Outcome, dash(c.Verdict.Reason)})
	}
	out.table("last checks", checks)
	if more := len(h.Checks) - shownChecks; more > 0 {
		fmt.Fprintf(&out.b, "    %s %s more, -o json has them\n", l.glyphs().more, plural(more, "check"))
	}
	return out.b.String()
}
