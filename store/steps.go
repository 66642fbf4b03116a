package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

var _ rollout.Store = (*Store)(nil)

// Quarantine sets a deployment aside until a person acts on it.
func (s *Store) Quarantine(ctx context.Context, claim rollout.Claim, reason string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE config_deployments SET quarantined = $4, owner = '', lease_until = NULL, revision = revision + 1
			WHERE deployment_id = $1 AND epoch = $2 AND owner = $3`, claim.DeploymentID, claim.Epoch, claim.Owner, reason)
		if err == nil && n == 0 {
			err = rollout.ErrStale
		}
		if err != nil {
			return fmt.Errorf("set deployment %s aside: %w", claim.DeploymentID, err)
		}
		return tx.Record(ctx, rollout.Fact{
			Type: rollout.FactQuarantined, EntityType: "deployment", EntityID: claim.DeploymentID, Actor: rollout.Daemon,
			Details: map[string]any{"reason": reason},
		})
	})
}

// Step stores a decision made under a claim, and gives the claim back. It
// returns rollout.ErrStale when the claim was lost or the deployment changed.
//
// A deployment does not end on what was read before an instance joined, left or
// acknowledged: whoever came in between would be left without its version. The
// step is then stale and due again at once.
func (s *Store) Step(ctx context.Context, claim rollout.Claim, dec rollout.Decision) error {
	err := s.step(ctx, claim, dec)
	if s.engine.full(err) {
		return errors.Join(err, s.uncount(ctx, claim))
	}
	if errors.Is(err, rollout.ErrStale) && dec.Next.State.Final() {
		err = errors.Join(err, s.giveBack(ctx, claim))
	}
	return err
}

// giveBack makes a claimed deployment due again for whoever comes first.
func (s *Store) giveBack(ctx context.Context, claim rollout.Claim) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE config_deployments SET owner = '', lease_until = NULL, attempts = 0, next_step_at = $4
			WHERE deployment_id = $1 AND epoch = $2 AND owner = $3 AND finished_at IS NULL`,
			claim.DeploymentID, claim.Epoch, claim.Owner, stamp(tx.now())); err != nil {
			return fmt.Errorf("give deployment %s back: %w", claim.DeploymentID, err)
		}
		return nil
	})
}

func (s *Store) step(ctx context.Context, claim rollout.Claim, dec rollout.Decision) error {
	return s.decided(ctx, dec, func(tx *Tx, op string) question { return tx.step(claim, dec, op) })
}

// step is the question that writes the deployment's own row.
func (tx *Tx) step(claim rollout.Claim, dec rollout.Decision, op string) question {
	next, rest := dec.Next, tx.rest(dec)
	if !dec.Changed {
		return ask(`UPDATE config_deployments SET owner = '', lease_until = NULL, attempts = 0, op_id = $6, rests_until = $8,
			next_step_at = CASE WHEN woken THEN CAST($7 AS TIMESTAMPTZ) ELSE CAST($5 AS TIMESTAMPTZ) END
			WHERE deployment_id = $1 AND revision = $2 AND epoch = $3 AND owner = $4`,
			next.ID, next.Revision, claim.Epoch, claim.Owner, stamp(dec.Wake), op, stamp(rest.again), stamp(rest.until))
	}
	wake := dec.Wake
	if next.State.Final() {
		wake = time.Time{}
	}
	return ask(`UPDATE config_deployments SET body = $5, status = $6, targets = $7, applied = $8, finished_at = $9,
		next_step_at = CASE WHEN woken AND CAST($9 AS TIMESTAMPTZ) IS NULL THEN CAST($12 AS TIMESTAMPTZ) ELSE CAST($10 AS TIMESTAMPTZ) END, op_id = $11, rests_until = $13,
		revision = revision + 1, owner = '', lease_until = NULL, attempts = 0
		WHERE deployment_id = $1 AND revision = $2 AND epoch = $3 AND owner = $4 AND finished_at IS NULL
		  AND (CAST($9 AS TIMESTAMPTZ) IS NULL OR NOT woken)`,
		next.ID, next.Revision, claim.Epoch, claim.Owner, asJSON(next), next.State, next.Progress.Targets, next.Progress.Applied,
		stamp(next.FinishedAt), stamp(wake), op, stamp(rest.again), stamp(rest.until))
}

// rest is until when what happens waits, and when a deployment is looked at again that
// something happened to since it was read.
type rest struct{ until, again time.Time }

// rest is that of what was just decided: no rest makes it look later than it wants to.
func (tx *Tx) rest(dec rollout.Decision) (r rest) {
	r.again = tx.now().Add(dec.Rest)
	if dec.Rest > 0 {
		r.until = r.again
	}
	if !dec.Wake.IsZero() && dec.Wake.Before(r.again) {
		r.again = dec.Wake
	}
	return r
}

// Order stores a decision that a person forced. It raises the epoch, so that a
// step in flight loses, and ends a quarantine. It returns rollout.ErrStale when
// the deployment changed.
func (s *Store) Order(ctx context.Context, dec rollout.Decision) error {
	return s.decided(ctx, dec, func(tx *Tx, op string) question { return tx.order(dec, op) })
}

func (tx *Tx) order(dec rollout.Decision, op string) question {
	next := dec.Next
	// Looked at again soon when anything happened since the order's reading of
	// the fleet: that is not in it.
	rest, wake := tx.rest(dec), dec.Wake
	switch {
	case next.State.Final():
		rest.again, wake = time.Time{}, time.Time{}
	case wake.IsZero():
		wake = tx.now()
	}
	return ask(`UPDATE config_deployments SET body = $3, status = $4, targets = $5, applied = $6, finished_at = $7,
		next_step_at = CASE WHEN woken OR epoch <> $11 THEN CAST($10 AS TIMESTAMPTZ) ELSE CAST($8 AS TIMESTAMPTZ) END, op_id = $9, rests_until = $12,
		revision = revision + 1, epoch = epoch + 1, owner = '', lease_until = NULL, attempts = 0, quarantined = ''
		WHERE deployment_id = $1 AND revision = $2 AND finished_at IS NULL`,
		next.ID, next.Revision, asJSON(next), next.State, next.Progress.Targets, next.Progress.Applied,
		stamp(next.FinishedAt), stamp(wake), op, stamp(rest.again), next.Epoch, stamp(rest.until))
}

// OrderExclusive reads a deployment and its fleet, decides, and stores the
// decision, while everybody else who wants to change the profile waits.
func (s *Store) OrderExclusive(ctx context.Context, id string, decide rollout.DecideOrder) (before rollout.Deployment, dec rollout.Decision, err error) {
	op := uuid.NewString()
	err = s.InTx(ctx, func(tx *Tx) error {
		if before, err = deployment(ctx, tx.tx, id); err != nil {
			return err
		}
		if err := tx.lockProfile(ctx, before.Profile); err != nil {
			return err
		}
		if before, err = deployment(ctx, tx.tx, id); err != nil { // as it is now that it cannot change
			return err
		}
		snap, err := s.Snapshot(ctx, before, rollout.OrderReadings(before))
		if err != nil {
			return err
		}
		if dec, err = decide(before, snap, tx.now()); err != nil || !dec.Changed {
			return err
		}
		return tx.apply(ctx, dec, orStale(tx.order(dec, op)))
	})
	if errors.Is(err, errCommit) {
		err = s.outcome(ctx, dec.Next, op, err)
	}
	return before, dec, err
}

// decided runs update under compare-and-set and applies the rest of the
// decision in the same transaction. When the outcome of the commit is not
// known, the row says whether it was stored.
func (s *Store) decided(ctx context.Context, dec rollout.Decision, update func(tx *Tx, op string) question) error {
	op := uuid.NewString()
	err := s.InTx(ctx, func(tx *Tx) error {
		return tx.apply(ctx, dec, append(tx.locking(`name = $1`, dec.Next.Profile), orStale(update(tx, op)))...)
	})
	if errors.Is(err, errCommit) {
		return s.outcome(ctx, dec.Next, op, err)
	}
	return err
}

// orStale is ErrStale where the question changed no row.
func orStale(q question) question {
	q.done = func(n int64) error {
		if n == 0 {
			return rollout.ErrStale
		}
		return nil
	}
	return q
}

// outcome says what became of an uncertain commit: nil when it was stored, its
// error when it was not, and ErrStale when others have changed the row since,
// so that it cannot be known and must be decided anew.
func (s *Store) outcome(ctx context.Context, before rollout.Deployment, op string, failure error) error {
	var last string
	var revision int64
	err := s.settled(ctx, before.Profile, func(ctx context.Context, q querier) error {
		return q.QueryRowContext(ctx, `SELECT op_id, revision FROM config_deployments WHERE deployment_id = $1`, before.ID).Scan(&last, &revision)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return failure
	case err != nil:
		return errors.Join(failure, fmt.Errorf("read what became of deployment %s: %w", before.ID, err))
	case last == op:
		return nil
	case revision > before.Revision:
		return fmt.Errorf("%w: %w", rollout.ErrStale, failure)
	}
	return failure
}

// Create stores a new deployment and what comes with it; the profile's active
// deployment becomes Superseded.
// Its ID says what became of an uncertain commit: with a taken one it would not
// have come to it.
func (s *Store) Create(ctx context.Context, dec rollout.Decision) error {
	err := s.InTx(ctx, func(tx *Tx) error { return tx.CreateDeployment(ctx, dec) })
	if !errors.Is(err, errCommit) {
		return err
	}
	var n int
	readErr := s.settled(ctx, dec.Next.Profile, func(ctx context.Context, q querier) (err error) {
		n, err = count(ctx, q, `SELECT count(*) FROM config_deployments WHERE deployment_id = $1`, dec.Next.ID)
		return err
	})
	if readErr == nil && n == 1 {
		return nil
	}
	return errors.Join(err, readErr)
}

// SupersedeActive ends the profile's active deployment, if there is one.
func (tx *Tx) SupersedeActive(ctx context.Context, profileName, reason string) error {
	return tx.supersede(ctx, profileName, reason, nil)
}

// supersede does so for a successor with that selector, nil for none.
func (tx *Tx) supersede(ctx context.Context, profileName, reason string, successor *fleet.Selector) error {
	if err := tx.lockProfile(ctx, profileName); err != nil {
		return err
	}
	d, err := tx.ActiveDeployment(ctx, profileName)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.Commit != "" && d.Source == "" { // the row is corrupt, and the commit's status must end all the same
		if d.Source, err = tx.sourceOf(ctx, d); err != nil {
			return err
		}
	}
	dec := rollout.Supersede(d, reason, tx.now())
	if successor != nil && !successor.Equal(d.Selector) {
		var targets []rollout.Target
		if err := tx.tx.together(ctx, tx.s.askingTargets(ctx, d, &targets)); err != nil {
			return fmt.Errorf("read the targets of deployment %s: %w", d.ID, err)
		}
		dec.Assign = rollout.Stranded(d, targets, *successor)
	}
	next := dec.Next
	if _, err := tx.exec(ctx, `UPDATE config_deployments SET body = $2, status = $3, finished_at = $4, next_step_at = NULL,
		revision = revision + 1, epoch = epoch + 1, owner = '', lease_until = NULL, quarantined = '' WHERE deployment_id = $1`,
		d.ID, asJSON(next), next.State, stamp(next.FinishedAt)); err != nil {
		return fmt.Errorf("supersede deployment %s: %w", d.ID, err)
	}
	return tx.apply(ctx, dec)
}

// sourceOf is the source that a deployment's version came from.
func (tx *Tx) sourceOf(ctx context.Context, d rollout.Deployment) (source string, err error) {
	err = tx.tx.QueryRowContext(ctx, `SELECT source_id FROM config_versions WHERE config_name = $1 AND version = $2`, d.Profile, d.Version).Scan(&source)
	return source, notFound(err, ErrNotFound, "version "+d.Version+" of", d.Profile)
}

// apply does everything of a decision but the deployment's own row, which own may be the
// questions to write.
func (tx *Tx) apply(ctx context.Context, dec rollout.Decision, own ...question) error {
	d := dec.Next
	if d.State.Final() {
		tx.ended = append(tx.ended, d)
	}
	giving := tx.giving(d, dec.Assign)
	questions := append(own, giving.questions...)
	questions = append(questions, insertingChecks(dec.Checks)...)
	if dec.Hold != nil {
		questions = append(questions, tx.beginningHold(*dec.Hold)...)
	}
	if err := tx.tx.together(ctx, questions...); err != nil {
		return err
	}
	if err := giving.rest(ctx); err != nil {
		return err
	}
	if err := tx.switchTraffic(ctx, d, dec.Switch); err != nil {
		return err
	}
	if dec.Current != "" {
		tx.runs = append(tx.runs, question{
			what: "set the current version of " + d.Profile,
			text: `UPDATE config_profiles SET current_version = $2, updated_at = $3 WHERE name = $1`,
			args: []any{d.Profile, dec.Current, stamp(tx.now())},
		})
	}
	if dec.Retire {
		if err := tx.RetireProfile(ctx, d.Profile); err != nil {
			return err
		}
	}
	for _, f := range dec.Facts {
		if err := tx.Record(ctx, f); err != nil {
			return err
		}
	}
	for _, status := range dec.Status {
		if err := tx.SetStatus(ctx, status); err != nil {
			return err
		}
	}
	return nil
}

// WakeDeployment makes the profile's active deployment due now, or at the end of its
// rest, and again after a step that is under way, which may not have seen what happened.
func (tx *Tx) WakeDeployment(ctx context.Context, profileName string) error {
	if err := tx.wake(ctx, `config_name = $2`, profileName); err != nil {
		return fmt.Errorf("wake the deployment of %s: %w", profileName, err)
	}
	return nil
}

// wake makes the active deployments due for which the condition on $2 holds.
func (tx *Tx) wake(ctx context.Context, condition string, arg any) error {
	// One that rests for longer than any does began before the clock was set back.
	const due = `CASE WHEN rests_until > $1 AND rests_until <= $3 THEN rests_until ELSE $1 END`
	now := tx.now()
	_, err := tx.exec(ctx, `UPDATE config_deployments SET woken = true,
		next_step_at = CASE WHEN next_step_at <= `+due+` THEN next_step_at ELSE `+due+` END
		WHERE finished_at IS NULL AND `+condition, stamp(now), arg, stamp(now.Add(rollout.LongestRest)))
	return err
}

// WakeDeployment does so in a transaction of its own.
func (s *Store) WakeDeployment(ctx context.Context, profileName string) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.WakeDeployment(ctx, profileName) })
}
