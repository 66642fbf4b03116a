package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

func newReleaseCommand(sh *shell) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "release PROFILE --reason TEXT",
		Short: "End a hold: what was refused may be deployed again",
		Args:  needs(1, "a profile: sluice release PROFILE --reason TEXT"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, heldNames)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("needs --reason: it is kept in the audit log")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		if err := r.c.ReleaseConfig(cmd.Context(), args[0], reason); err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "%s is released\n", oneLine(args[0]))
		return err
	}
	return cmd
}

func newPauseCommand(sh *shell) *cobra.Command {
	return newOrderCommand(sh, "pause", "Hold a deployment where it stands; the gate goes on judging", func(ctx context.Context, r remote, id, reason string) (wire.Deployment, error) {
		return r.c.PauseDeployment(ctx, id, reason)
	})
}

func newResumeCommand(sh *shell) *cobra.Command {
	return newOrderCommand(sh, "resume", "Let a paused deployment go on", func(ctx context.Context, r remote, id, reason string) (wire.Deployment, error) {
		return r.c.ResumeDeployment(ctx, id, reason)
	})
}

func newPromoteCommand(sh *shell) *cobra.Command {
	var all bool
	cmd := newOrderCommand(sh, "promote", "Approve a deployment that waits, or send it to its next phase", func(ctx context.Context, r remote, id, reason string) (wire.Deployment, error) {
		return r.c.Promote(ctx, id, wire.PromoteRequest{Reason: reason, All: all})
	})
	cmd.Flags().BoolVar(&all, "all", false, "through every phase that is left: they end when their instances have acknowledged and the gate does not fail")
	return cmd
}

func newCancelCommand(sh *shell) *cobra.Command {
	return newOrderCommand(sh, "cancel", "End a deployment; what it changed is taken back", func(ctx context.Context, r remote, id, reason string) (wire.Deployment, error) {
		return r.c.CancelDeployment(ctx, id, reason)
	})
}

// newOrderCommand makes a command that gives one order to a deployment, or to
// the one of a profile that is under way.
func newOrderCommand(sh *shell, verb, what string, give func(ctx context.Context, r remote, id, reason string) (wire.Deployment, error)) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   verb + " DEPLOYMENT|PROFILE",
		Short: what,
		Args:  needs(1, "a deployment or a profile: sluice "+verb+" PROFILE"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentOrProfileNames)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := conn.open()
		if err != nil {
			return err
		}
		id := args[0]
		if !isDeployment(id) {
			newest, err := r.newestDeployment(cmd.Context(), id, "")
			if err != nil {
				return err
			}
			if client.Final(newest.Status) {
				return &exitError{code: exitRefused, err: fmt.Errorf("nothing of %s is under way: its last deployment, of %s, ended as %s",
					id, newest.ConfigVersion, newest.Status)}
			}
			id = newest.ID
		}
		d, err := give(cmd.Context(), r, id, reason)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "%s %s: %s  %s\n", oneLine(d.ConfigName), oneLine(d.ConfigVersion), oneLine(d.Status), oneLine(d.Explanation))
		return err
	}
	return cmd
}

func newRetryCommand(sh *shell) *cobra.Command {
	var req wire.RetryRequest
	cmd := &cobra.Command{
		Use:   "retry DEPLOYMENT --reason TEXT",
		Short: "Try again what an ended deployment brought",
		Long: `Try again what a deployment brought that failed, was rolled back, superseded or
cancelled: a new deployment of the same version, with the strategy, health rules,
windows and targets that the profile has now. A hold that refuses the version
ends by it.`,
		Args: needs(1, "a deployment: sluice retry DEPLOYMENT --reason TEXT"),
	}
	conn := connected(sh, cmd)
	conn.completes(cmd, deploymentNames)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the audit log (required)")
	cmd.Flags().BoolVar(&req.Force, "force", false, "break the glass: past a freeze, a deny window and the rule that nothing skips staging; needs the role Admin")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(req.Reason) == "" {
			return errors.New("needs --reason: it is kept in the audit log")
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		d, err := r.c.RetryDeployment(cmd.Context(), args[0], req)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sh.stdout, "%s %s is tried again: %s\nfollow it: sluice watch %s\n",
			oneLine(d.ConfigName), oneLine(d.ConfigVersion), oneLine(d.Status), oneLine(d.ID))
		return err
	}
	return cmd
}
