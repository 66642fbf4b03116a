package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

// commitPattern is a SHA, or the beginning of one.
var commitPattern = regexp.MustCompile(`^[0-9a-fA-F]{7,64}$`)

func newStatusCommand(sh *shell) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "status [COMMIT]",
		Short: "Show a commit's statuses, as they should be and as they were posted, and whether rollouts are frozen",
		Long: `Show the statuses of a commit (at least seven digits of it), as they should be,
and whether the forge has them. While rollouts are frozen it says so, by whom and
why; without a commit that is all it tells.

Exit code 0 when none of them is a failure or an error, 1 otherwise.`,
		Args: cobra.MaximumNArgs(1),
	}
	conn := connected(sh, cmd)
	format := outputFlag(cmd)
	watch := watchFlag(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until there is a status and none is pending")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		if len(args) == 1 && !commitPattern.MatchString(args[0]) {
			return fmt.Errorf("%q is no commit: it takes the first seven digits of its SHA at least; sluice describe profile tells of a profile", args[0])
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		if *watch {
			return newListWatcher(sh, *format).run(cmd.Context(), func(ctx context.Context) (listing, error) {
				return r.status(ctx, args)
			})
		}
		if len(args) == 0 {
			return r.showState(cmd.Context(), sh, *format)
		}
		r.showFreeze(cmd.Context(), sh)
		statuses, err := r.settledStatuses(cmd.Context(), args[0], wait, time.Second)
		if err != nil {
			return err
		}
		if err := sh.show(*format, statusListing(args[0], statuses)); err != nil {
			return err
		}
		return judgeStatuses(statuses)
	}
	return cmd
}

// showState tells how the daemon stands: whether rollouts are frozen.
func (r remote) showState(ctx context.Context, sh *shell, format string) error {
	f, err := r.c.Freeze(ctx)
	if err != nil {
		return err
	}
	return sh.show(format, freezeListing(f))
}

// status is what is watched: a commit's statuses, or whether rollouts are frozen.
func (r remote) status(ctx context.Context, args []string) (listing, error) {
	if len(args) == 0 {
		f, err := r.c.Freeze(ctx)
		return freezeListing(f), err
	}
	statuses, err := r.c.Statuses(ctx, args[0])
	return statusListing(args[0], statuses), err
}

// settledStatuses reads a commit's statuses; with wait until they are settled.
func (r remote) settledStatuses(ctx context.Context, commit string, wait bool, every time.Duration) ([]wire.CommitStatus, error) {
	for {
		statuses, err := r.c.Statuses(ctx, commit)
		switch {
		case err != nil && !(wait && isNotFound(err)):
			return nil, err
		case err == nil && (!wait || settled(statuses)):
			return statuses, nil
		}
		if err := pause(ctx, every); err != nil {
			return nil, errStopped
		}
	}
}

// settled says that there are statuses and none of them is pending.
func settled(statuses []wire.CommitStatus) bool {
	for _, s := range statuses {
		if s.State == "pending" {
			return false
		}
	}
	return len(statuses) > 0
}

// judgeStatuses is an error when a status is a bad one.
func judgeStatuses(statuses []wire.CommitStatus) error {
	if len(statuses) == 0 {
		return notSo(nil)
	}
	for _, s := range statuses {
		if s.State == "failure" || s.State == "error" {
			return notSo(nil)
		}
	}
	return nil
}

func statusListing(commit string, statuses []wire.CommitStatus) listing {
	names := make([]string, len(statuses))
	for i, s := range statuses {
		names[i] = s.Context
	}
	return listing{
		value: statuses, kind: "status", names: names,
		empty: fmt.Sprintf("no statuses of %s: it is not on a watched branch, or has not been read yet", oneLine(commit)),
		table: func(l look) table {
			t := table{header: []string{"COMMIT", "CONTEXT", "STATE", "POSTED", "DESCRIPTION"}}
			for _, s := range statuses {
				posted := l.agoPtr(s.PostedAt)
				switch {
				case s.PostError != "":
					posted = "failing: " + s.PostError
				case s.Quiet:
					posted = "not told"
				case s.PostedAt == nil:
					posted = "waits"
				}
				t.rows = append(t.rows, []string{short(s.Commit), s.Context, s.State, posted, s.Description})
			}
			t.paint = func(column int, text string) colour {
				if column == 2 {
					return outcomeColour(text)
				}
				return plain
			}
			return t
		},
	}
}
