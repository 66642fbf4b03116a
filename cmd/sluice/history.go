package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newHistoryCommand(sh *shell) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history PROFILE",
		Short: "Show a profile's versions and deployments in one time line",
		Args:  needs(1, "a profile: sluice history PROFILE"),
	}
	conn := connected(sh, cmd)
	cmd.Flags().IntVar(&limit, "limit", 30, "at most this many entries, newest first")
	conn.completes(cmd, profileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		versions, err := r.versions(ctx, args[0], "", limit)
		if err != nil {
			return listing{}, err
		}
		deployments, err := r.deployments(ctx, deploymentFilter{Profile: args[0], Limit: limit})
		if err != nil {
			return listing{}, err
		}
		entries := timeLine(versions, deployments)
		entries = entries[:min(limit, len(entries))]
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.Version
		}
		return listing{value: entries, names: names, empty: args[0] + " has no history", table: func(l look) table {
			return historyTable(entries, l)
		}}, nil
	})
}

// entry is one line of a profile's history.
type entry struct {
	At           time.Time `json:"at"`
	Event        string    `json:"event"` // version, deployment, rollback, retirement
	Version      string    `json:"version"`
	Outcome      string    `json:"outcome,omitempty"` // a deployment's status; superseded for a version that was never deployed
	Commit       string    `json:"commit,omitempty"`
	By           string    `json:"by,omitempty"`
	DeploymentID string    `json:"deploymentId,omitempty"`
	Note         string    `json:"note,omitempty"`
}

// timeLine puts versions and deployments in one order, newest first.
func timeLine(versions []wire.Version, deployments []wire.Deployment) []entry {
	entries := make([]entry, 0, len(versions)+len(deployments))
	for _, v := range versions {
		e := entry{
			At: v.CreatedAt, Event: "version", Version: v.Version, Commit: v.Commit,
			By: cmp.Or(v.Author, v.CreatedBy), Note: firstLine(cmp.Or(v.Message, v.Description)),
		}
		if v.Superseded {
			e.Outcome = "superseded"
		}
		entries = append(entries, e)
	}
	for _, d := range deployments {
		e := entry{
			At: d.CreatedAt, Event: "deployment", Version: d.ConfigVersion, Outcome: d.Status, Commit: d.Commit,
			By: d.InitiatedBy, DeploymentID: d.ID, Note: firstLine(cmp.Or(d.RollbackReason, d.Explanation)),
		}
		if d.Kind != "" && d.Kind != "Forward" {
			e.Event = strings.ToLower(d.Kind)
		}
		entries = append(entries, e)
	}
	// A version and its deployment are made in one transaction, perhaps in one
	// instant: the deployment is the later of the two.
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Event, b.Event))
	})
	return entries
}

func historyTable(entries []entry, l look) table {
	t := table{header: []string{"WHEN", "WHAT", "VERSION", "OUTCOME", "COMMIT", "BY", "NOTE"}, spare: []string{"COMMIT", "BY"}}
	for _, e := range entries {
		t.rows = append(t.rows, []string{
			l.ago(e.At), e.Event, dash(e.Version), dash(e.Outcome), dash(short(e.Commit)), dash(e.By), e.Note,
		})
	}
	t.paint = func(column int, text string) colour {
		if column == 3 && text != "-" {
			return statusColour(text)
		}
		return plain
	}
	return t
}
