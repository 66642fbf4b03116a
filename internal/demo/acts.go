package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// The profiles and files that the acts change.
const (
	payment     = "payment-service.production"
	search      = "search-service.production"
	paymentFile = "payment-service/production.yaml"
	searchFile  = "search-service/production.yaml"
	brokenFile  = "search-service/staging.yaml"
)

// acts are the demo, in order. Each states what it saw by checks; an error
// means that it could not go on.
func (r *run) acts() []func(context.Context) error {
	return []func(context.Context) error{
		r.first, r.goodChange, r.goodTrace, r.badChange, r.fix, r.brokenBesideGood, r.emergency, r.killed,
	}
}

// first brings the example repository's profiles to the fleet.
func (r *run) first(ctx context.Context) error {
	r.screen.title("A repository of configuration, twelve instances under load, one daemon")
	commit, err := r.commit(ctx, "Configuration of the payment and search services", r.files)
	if err != nil {
		return err
	}
	for _, name := range []string{payment, search} {
		d, err := r.rollOut(ctx, name, commit)
		if err != nil {
			return err
		}
		r.screen.check(d.Status == "Completed", "%s %s is %s on %d of %d instances",
			name, d.ConfigVersion, d.Status, d.Progress.Applied, d.Progress.Targets)
	}
	return nil
}

// goodChange merges a change that the services like.
func (r *run) goodChange(ctx context.Context) error {
	r.screen.title("(a) A good change is merged: the timeout rises to 250 ms")
	commit, err := r.edit(ctx, paymentFile, "Give the payment provider 250 ms", "timeout: 200ms", "timeout: 250ms")
	if err != nil {
		return err
	}
	d, err := r.rollOut(ctx, payment, commit)
	if err != nil {
		return err
	}
	r.screen.check(slices.Equal(r.steps[d.ID], []int{10, 30, 50, 100}), "the canary went %s percent", joinInts(r.steps[d.ID]))
	r.screen.check(d.Status == "Completed", "deployment of %s: %s", d.ConfigVersion, d.Status)
	r.screen.check(r.all(payment, "250ms"), "all ten instances read a timeout of 250 ms")
	r.good, r.goodID = d.ConfigVersion, d.ID
	return r.expectStatus(ctx, commit, "sluice/"+payment, "success", "")
}

// badChange merges a change that validates and hurts: the provider needs more
// than 8 ms for most requests.
func (r *run) badChange(ctx context.Context) error {
	r.screen.title("(b) A bad change is merged: valid, but a timeout of 8 ms is too short for most requests")
	commit, err := r.edit(ctx, paymentFile, "Fail fast: time out after 8 ms", "timeout: 250ms", "timeout: 8ms")
	if err != nil {
		return err
	}
	d, err := r.rollOut(ctx, payment, commit)
	if err != nil {
		return err
	}
	r.screen.check(d.Status == "RolledBack", "deployment of %s: %s, by the %s", d.ConfigVersion, d.Status, d.RollbackBy)
	r.screen.check(slices.Equal(r.steps[d.ID], []int{10}), "it was caught at the first step: %s percent", joinInts(r.steps[d.ID]))
	r.screen.check(r.all(payment, "250ms"), "all ten instances read 250 ms again")
	config, err := r.client.Config(ctx, payment)
	if err != nil {
		return fmt.Errorf("read %s: %w", payment, err)
	}
	r.screen.check(config.Hold != nil && config.Hold.RefusedVersion == d.ConfigVersion && config.CurrentVersion == r.good,
		"%s is on hold at %s: %s", payment, config.CurrentVersion, holdReason(config))
	return r.expectStatus(ctx, commit, "sluice/"+payment, "failure", "error rate")
}

// fix merges other content, which ends the hold.
func (r *run) fix(ctx context.Context) error {
	r.screen.title("(c) The fix is merged: other content ends the hold")
	commit, err := r.edit(ctx, paymentFile, "Time out after 300 ms", "timeout: 8ms", "timeout: 300ms")
	if err != nil {
		return err
	}
	d, err := r.rollOut(ctx, payment, commit)
	if err != nil {
		return err
	}
	config, err := r.client.Config(ctx, payment)
	if err != nil {
		return fmt.Errorf("read %s: %w", payment, err)
	}
	r.screen.check(d.Status == "Completed" && r.all(payment, "300ms"), "deployment of %s: %s", d.ConfigVersion, d.Status)
	r.screen.check(config.Hold == nil, "the hold has ended")
	return r.expectStatus(ctx, commit, "sluice/"+payment, "success", "")
}

// brokenBesideGood pushes one commit with a broken file and a good one.
func (r *run) brokenBesideGood(ctx context.Context) error {
	r.screen.title("(d) One commit, a broken file beside a good one")
	broken := strings.Replace(r.files[brokenFile], "maxResults: 20", "maxResults: many", 1)
	good := strings.Replace(r.files[searchFile], "timeout: 500ms", "timeout: 400ms", 1)
	commit, err := r.commit(ctx, "Search: quicker, and more of it", map[string]string{brokenFile: broken, searchFile: good})
	if err != nil {
		return err
	}
	d, err := r.rollOut(ctx, search, commit)
	if err != nil {
		return err
	}
	r.screen.check(d.Status == "Completed" && r.all(search, "400ms"), "%s %s rolled out: %s", search, d.ConfigVersion, d.Status)
	if err := r.expectStatus(ctx, commit, "sluice/search-service.staging", "failure", brokenFile+":"); err != nil {
		return err
	}
	return r.expectStatus(ctx, commit, "sluice/"+search, "success", "")
}

// emergency rolls back a completed version by the API.
func (r *run) emergency(ctx context.Context) error {
	r.screen.title("(e) Emergency: somebody rolls %s back by the API", payment)
	d, err := r.client.RollbackConfig(ctx, payment, "", "customers complain about slow payments")
	if err != nil {
		return fmt.Errorf("roll back %s: %w", payment, err)
	}
	d, err = r.follow(ctx, d.ID, nil)
	if err != nil {
		return err
	}
	config, err := r.client.Config(ctx, payment)
	if err != nil {
		return fmt.Errorf("read %s: %w", payment, err)
	}
	r.screen.check(d.Status == "Completed" && d.ConfigVersion == r.good && r.all(payment, "250ms"),
		"all ten instances are back on %s, %s after the call", d.ConfigVersion, took(d))
	r.screen.check(config.Hold != nil, "%s is on hold: %s", payment, holdReason(config))
	return nil
}

// killed ends the daemon with kill -9 in the middle of a canary.
func (r *run) killed(ctx context.Context) error {
	r.screen.title("(f) kill -9 in the middle of a canary")
	commit, err := r.edit(ctx, paymentFile, "Time out after 350 ms", "timeout: 300ms", "timeout: 350ms")
	if err != nil {
		return err
	}
	d, err := r.deploymentOf(ctx, payment, commit)
	if err != nil {
		return err
	}
	half := func(d wire.Deployment) bool { return d.Phase == 2 && d.Progress.Applied >= 3 }
	if d, err = r.follow(ctx, d.ID, half); err != nil {
		return err
	}
	r.screen.check(d.Status == "InProgress" && d.Phase == 2, "it is in the middle: phase %d of %d, %d percent, %d of %d instances on %s",
		d.Phase, d.Phases, d.Percent, d.Progress.Applied, d.Progress.Targets, d.ConfigVersion)
	if err := r.killOne(ctx, d); err != nil {
		return err
	}
	if d, err = r.follow(ctx, d.ID, nil); err != nil {
		return err
	}
	r.screen.check(d.Status == "Completed" && r.all(payment, "350ms"), "the same deployment went on and is %s", d.Status)
	return r.expectStatus(ctx, commit, "sluice/"+payment, "success", "")
}

// killOne ends the daemon, and starts it again; of replicas it ends the one that
// is at the deployment, and the other has to go on.
func (r *run) killOne(ctx context.Context, d wire.Deployment) error {
	if r.database == nil {
		if err := r.daemons[0].kill(); err != nil {
			return err
		}
		r.screen.say("killed; the services go on")
		if err := r.daemons[0].start(ctx); err != nil {
			return err
		}
		r.screen.say("started again")
		return nil
	}
	victim, held, err := r.killInStep(ctx, payment, d.ID)
	if err != nil {
		return err
	}
	r.screen.say("killed the replica at %s in the middle of a step, claim %d in its hands; the services go on", victim.addr, held.epoch)
	after, err := r.takenOver(ctx, d.ID, held)
	if err != nil {
		return err
	}
	r.screen.check(true, "the other replica took the deployment over %s after the kill; the lease of a claim is 15 s", after.Round(100*time.Millisecond))
	return nil
}

// rollOut follows what a commit made of a profile to its end.
func (r *run) rollOut(ctx context.Context, profile, commit string) (wire.Deployment, error) {
	d, err := r.deploymentOf(ctx, profile, commit)
	if err != nil {
		return d, err
	}
	return r.follow(ctx, d.ID, nil)
}

// expectStatus checks how a commit's status ended.
func (r *run) expectStatus(ctx context.Context, commit, statusContext, state, words string) error {
	s, err := r.status(ctx, commit, statusContext)
	if err != nil {
		return err
	}
	r.screen.check(s.State == state && strings.Contains(s.Description, words),
		"commit %s, %s: %s, %q", short(commit), statusContext, s.State, s.Description)
	return nil
}

func holdReason(c wire.Config) string {
	if c.Hold == nil {
		return "no hold"
	}
	return c.Hold.Reason
}

func took(d wire.Deployment) string {
	if d.FinishedAt == nil {
		return "not yet"
	}
	return d.FinishedAt.Sub(d.CreatedAt).Round(10_000_000).String()
}

func joinInts(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}
