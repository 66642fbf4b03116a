package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// patience bounds every wait for something that should happen: it is there to
// end a demo that went wrong, not to judge how long things take.
const patience = 60 * time.Second

const look = 100 * time.Millisecond

// until asks again and again until ask answers true, or fails after patience.
// An error of ask is remembered and asked again: the daemon may be down.
func until(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	var last error
	for {
		ok, err := ask(ctx)
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, errors.Join(ctx.Err(), last))
		}
	}
}

// deploymentOf waits for the deployment that a commit made of a profile.
func (r *run) deploymentOf(ctx context.Context, profile, commit string) (wire.Deployment, error) {
	var found wire.Deployment
	err := until(ctx, "a deployment of "+profile+" at "+short(commit), func(ctx context.Context) (bool, error) {
		page, err := r.client.Deployments(ctx, client.DeploymentFilter{ConfigName: profile, Commit: commit})
		if err != nil || len(page.Items) == 0 {
			return false, err
		}
		found = page.Items[0]
		return true, nil
	})
	return found, err
}

// follow shows the deployment until done says that enough was seen, or until
// it ends. It returns the deployment as it then was.
func (r *run) follow(ctx context.Context, id string, done func(wire.Deployment) bool) (wire.Deployment, error) {
	var seen wire.Deployment
	err := until(ctx, "deployment "+id, func(ctx context.Context) (bool, error) {
		d, err := r.client.Deployment(ctx, id)
		if err != nil {
			return false, err
		}
		seen = d
		r.screen.show(d)
		r.note(d)
		if r.opts.Onlooker != nil {
			r.opts.Onlooker(Moment{Title: r.screen.act, Server: r.server, Token: r.sessionToken, Deployment: d})
		}
		return final(d.Status) || (done != nil && done(d)), nil
	})
	return seen, err
}

// note remembers the percentages that a deployment was seen at.
func (r *run) note(d wire.Deployment) {
	if d.Phase == 0 {
		return
	}
	steps := r.steps[d.ID]
	if len(steps) == 0 || steps[len(steps)-1] != d.Percent {
		r.steps[d.ID] = append(steps, d.Percent)
	}
}

// status waits until the commit's status in the context is final and posted.
func (r *run) status(ctx context.Context, commit, statusContext string) (wire.CommitStatus, error) {
	var found wire.CommitStatus
	err := until(ctx, "the status "+statusContext+" of "+short(commit), func(ctx context.Context) (bool, error) {
		statuses, err := r.client.Statuses(ctx, commit)
		if err != nil {
			return false, err
		}
		for _, s := range statuses {
			if s.Context == statusContext && s.State != "pending" && s.PostedAt != nil {
				found = s
				return true, nil
			}
		}
		return false, nil
	})
	return found, err
}

func final(status string) bool {
	switch status {
	case "Completed", "Failed", "RolledBack", "Superseded", "Cancelled":
		return true
	}
	return false
}

func short(commit string) string {
	return commit[:min(len(commit), 7)]
}
