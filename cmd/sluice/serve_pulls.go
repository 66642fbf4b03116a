package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/report"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// pullRequests tells pull requests what became of what they brought, and does
// what is asked for in their comments. Its methods are the outbox's.
type pullRequests struct {
	hosts       map[string]forge.Host // of the sources that have them, by ID
	commands    map[string]*reconciler.Commands
	reverts     map[string]*reconciler.Reverts // of the sources that want them
	db          *store.Store
	door        *api.API
	externalURL string
}

// terminal says in the store's words that no retry mends an error of a forge.
func terminal(err error) error {
	if errors.Is(err, forge.ErrTerminal) {
		return fmt.Errorf("%w: %w", store.ErrTerminal, err)
	}
	return err
}

// comment makes one comment read so, with its remarks where the forge shows them.
func (p *pullRequests) comment(ctx context.Context, c rollout.Comment) error {
	host, ok := p.hosts[c.Source]
	if !ok {
		return fmt.Errorf("source %s has no forge with pull requests any more: %w", c.Source, store.ErrTerminal)
	}
	if err := host.PutComment(ctx, c.PullRequest, c.Key, c.Body); err != nil {
		return terminal(err)
	}
	annotator, ok := host.(forge.Annotator)
	if !ok || len(c.Remarks) == 0 {
		return nil
	}
	remarks := make([]forge.Remark, len(c.Remarks))
	for i, r := range c.Remarks {
		remarks[i] = forge.Remark{Path: r.Path, Line: r.Line, Text: r.Text}
	}
	return terminal(annotator.Annotate(ctx, c.PullRequest, c.Commit, remarks))
}

// rollback writes what the pull request is told that brought what a hold refuses.
func (p *pullRequests) rollback(ctx context.Context, h rollout.Hold) (c rollout.Comment, ok bool, err error) {
	refused, err := p.db.Version(ctx, h.Profile, h.RefusedVersion)
	if errors.Is(err, store.ErrNotFound) {
		return c, false, nil // retention was quicker
	}
	if err != nil {
		return c, false, err
	}
	host, ok := p.hosts[refused.Source]
	if !ok || refused.Commit == "" || h.DeploymentID == "" {
		return c, false, nil
	}
	pr, ok, err := host.MergedBy(ctx, refused.Commit)
	if err != nil || !ok {
		return c, false, terminal(err)
	}
	holds, total, err := p.db.HoldsBehind(ctx, refused.Source, refused.Commit, maxRollbackComments+report.MaxOthers)
	if err != nil {
		return c, false, err
	}
	if len(holds) > maxRollbackComments && !slices.ContainsFunc(holds[:maxRollbackComments], func(o rollout.Hold) bool { return o.DeploymentID == h.DeploymentID }) {
		return p.otherRollbacks(refused, pr, holds[maxRollbackComments:], total-maxRollbackComments), true, nil
	}
	d, err := p.db.Deployment(ctx, h.DeploymentID)
	if err != nil {
		return c, false, err
	}
	told, err := p.door.Report(ctx, h.DeploymentID)
	if err != nil {
		return c, false, err
	}
	// What the text is made of beside the deployment: each rises once, and counts for less than its revision.
	basis := 4 * d.Revision
	if h.RevertURL != "" {
		basis++
	}
	if !h.ReleasedAt.IsZero() {
		basis += 2
	}
	return rollout.Comment{
		Source: refused.Source, PullRequest: pr.Number, Key: "rollback/" + h.DeploymentID, Basis: basis,
		Body: report.PullRequest{
			Report: told, Profile: h.Profile, Refused: h.RefusedVersion, Pinned: h.PinnedVersion, Author: pr.Author,
			Page: p.page(h.DeploymentID), RevertURL: h.RevertURL, Released: !h.ReleasedAt.IsZero(),
		}.Comment(),
	}, true, nil
}

// maxRollbackComments is how many rollbacks behind one commit are told by a comment each.
const maxRollbackComments = 10

// otherRollbacks is the one comment that tells of all others.
func (p *pullRequests) otherRollbacks(refused profile.Version, pr forge.PullRequest, holds []rollout.Hold, total int) rollout.Comment {
	basis := int64(total) // and what else the text is made of: each only rises
	first := make([]report.RolledBack, len(holds))
	for i, h := range holds {
		first[i] = report.RolledBack{
			Profile: h.Profile, Refused: h.RefusedVersion, Pinned: h.PinnedVersion, Reason: h.Reason,
			Page: p.page(h.DeploymentID), RevertURL: h.RevertURL, Released: !h.ReleasedAt.IsZero(),
		}
		if h.RevertURL != "" {
			basis++
		}
		if !h.ReleasedAt.IsZero() {
			basis++
		}
	}
	return rollout.Comment{
		Source: refused.Source, PullRequest: pr.Number, Key: "rollback/others of " + refused.Commit[:min(len(refused.Commit), 12)], Basis: basis,
		Body: report.Others{First: first, Total: total, Author: pr.Author}.Comment(),
	}
}

func (p *pullRequests) page(deployment string) string {
	if p.externalURL == "" {
		return ""
	}
	return strings.TrimSuffix(p.externalURL, "/") + "/deployments/" + deployment
}

// revert opens the pull request that makes Git say what a hold pins.
func (p *pullRequests) revert(ctx context.Context, h rollout.Hold) (string, error) {
	pinned, err := p.db.Version(ctx, h.Profile, h.PinnedVersion)
	if err != nil {
		return "", err
	}
	reverts, ok := p.reverts[pinned.Source]
	if !ok {
		return "", nil
	}
	url, err := reverts.Propose(ctx, h)
	return url, terminal(err)
}

// command does what a comment asks for.
func (p *pullRequests) command(ctx context.Context, c rollout.Command) error {
	commands, ok := p.commands[c.Source]
	if !ok {
		return fmt.Errorf("source %s has no forge with pull requests any more: %w", c.Source, store.ErrTerminal)
	}
	return terminal(commands.CarryOut(ctx, c))
}

// orders carries out what commands ask of deployments, by the API's own rules.
type orders struct {
	engine *rollout.Engine
	door   *api.API
}

// Promote sends a deployment on from one phase.
func (o orders) Promote(ctx context.Context, id string, phase int, actor, reason string) (rollout.Deployment, error) {
	return o.engine.Promote(ctx, id, rollout.Promotion{Phase: phase}, actor, reason)
}

// RollBack takes a deployment back.
func (o orders) RollBack(ctx context.Context, id, actor, reason string) (rollout.Deployment, error) {
	d, err := o.door.RollBack(ctx, id, actor, reason)
	if api.IsConflict(err) {
		return d, reconciler.Refused(err)
	}
	return d, err
}
