package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/rollout"
)

// Approvals lets deployments start that wait for the reviews of the pull
// request that brought them. It is level-triggered: a review that no webhook told
// of is seen at the next look.
type Approvals struct {
	ApprovalOptions
	log  *slog.Logger
	wake chan struct{}
}

// ApprovalOptions are what NewApprovals needs.
type ApprovalOptions struct {
	Source string
	Host   forge.Host
	Store  ApprovalStore
	// Approve lets a deployment start.
	Approve func(ctx context.Context, id, actor, reason string) error
	Logger  *slog.Logger
}

// NewApprovals returns the approvals of one source.
func NewApprovals(o ApprovalOptions) *Approvals {
	return &Approvals{ApprovalOptions: o, log: o.Logger.With("component", "approvals", "source", o.Source), wake: make(chan struct{}, 1)}
}

// ApprovalStore is what Approvals need of the database.
type ApprovalStore interface {
	// AwaitingApprovals lists the source's deployments that review approvals let start.
	AwaitingApprovals(ctx context.Context, source string) ([]rollout.Deployment, error)
}

// Look asks the forge about every deployment that waits. One that cannot be
// asked about does not keep the others waiting.
func (a *Approvals) Look(ctx context.Context) error {
	waiting, err := a.Store.AwaitingApprovals(ctx, a.Source)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range waiting {
		if err := a.one(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("approvals of deployment %s of %s: %w", d.ID, d.Profile, err))
		}
	}
	return errors.Join(errs...)
}

func (a *Approvals) one(ctx context.Context, d rollout.Deployment) error {
	// What a commit's message claims is no pull request: without one at the forge a
	// person promotes it.
	pr, ok, err := a.Host.MergedBy(ctx, d.Commit)
	if err != nil || !ok {
		return err
	}
	approvals, err := a.Host.Approvals(ctx, pr.Number)
	if err != nil {
		return err
	}
	names := approvers(approvals)
	if len(names) < d.Approvals {
		return nil
	}
	who := strings.Join(names, ", ")
	err = a.Approve(ctx, d.ID, who, fmt.Sprintf("approved in the review of pull request %d", pr.Number))
	if _, moved := errors.AsType[*rollout.StateError](err); moved {
		return nil // a person was quicker, or it was superseded
	}
	return err
}

// approvers are the people behind the approvals, each once.
func approvers(approvals []forge.Approval) []string {
	var names []string
	for _, a := range approvals {
		if name := printable(a.User); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Wake makes Run look now. Many calls before the look are one.
func (a *Approvals) Wake() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run looks every so often and whenever it is woken, until ctx ends. What could
// not be asked is asked again at the next look.
func (a *Approvals) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := ""
	for {
		err := a.Look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			a.log.WarnContext(ctx, "approvals were not looked at; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.wake:
		}
	}
}
