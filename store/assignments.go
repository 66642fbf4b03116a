package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

const assignmentColumns = `a.instance_id, a.config_name, a.version, a.config_hash, a.generation, a.deployment_id, a.assigned_at,
	a.applied, a.applied_hash, a.applied_generation, a.applied_at, a.apply_micros, a.apply_error, a.traceparent,
	COALESCE((SELECT t.active_group FROM config_traffic t WHERE t.config_name = a.config_name), '')`

func assignmentDest(a *fleet.Assignment) []any {
	return []any{&a.InstanceID, &a.Profile, &a.Version, &a.Hash, &a.Generation, &a.DeploymentID, at(&a.AssignedAt),
		&a.Applied, &a.AppliedHash, &a.AppliedGeneration, at(&a.AppliedAt), micros{&a.ApplyTime}, &a.ApplyError, &a.TraceParent, &a.ActiveGroup}
}

// micros scans a duration that is kept in microseconds.
type micros struct{ d *time.Duration }

// Scan takes the duration from the engine.
func (m micros) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a duration cannot be read from %T", src)
	}
	*m.d = time.Duration(n) * time.Microsecond
	return nil
}

func scanAssignment(row scanner) (a fleet.Assignment, err error) {
	return a, row.Scan(assignmentDest(&a)...)
}

// manyInstances is from how many on PostgreSQL is better off with all instances
// than with those that are named.
const manyInstances = 500

// newGeneration is what the profile $1 was raised to in this transaction.
const newGeneration = `(SELECT generation FROM config_profiles WHERE name = $1)`

// assignRows gives a version to the n instances in the JSON array $7.
func (e *engine) assignRows(n int) string {
	named := e.in("i.instance_id", 7)
	if e.many(n) {
		named = `i.instance_id IN (SELECT json_array_elements_text($7::json))
		 AND NOT EXISTS (SELECT 1 FROM config_assignments a WHERE a.instance_id = i.instance_id AND a.config_name = $1 AND a.generation >= ` + newGeneration + `)`
	}
	return `INSERT INTO config_assignments (instance_id, config_name, version, config_hash, generation, deployment_id, assigned_at, traceparent)
		SELECT i.instance_id, $1, $2, $3, ` + newGeneration + `, $4, CAST($5 AS TIMESTAMPTZ), $6
		  FROM service_instances i WHERE ` + named + ` ORDER BY i.instance_id
		ON CONFLICT (instance_id, config_name) DO UPDATE SET version = excluded.version, config_hash = excluded.config_hash,
		 generation = excluded.generation, deployment_id = excluded.deployment_id, assigned_at = excluded.assigned_at, traceparent = excluded.traceparent, apply_error = ''
		 WHERE config_assignments.generation < excluded.generation`
}

// assignAgain does so for those that have a row, as nearly all of a large fleet do:
// an insert that finds the row there takes nearly twice as long. None is named twice,
// which IN would have to see to first.
const assignAgain = `UPDATE config_assignments a SET version = $2, config_hash = $3, generation = ` + newGeneration + `, deployment_id = $4,
	  assigned_at = CAST($5 AS TIMESTAMPTZ), traceparent = $6, apply_error = ''
	FROM json_array_elements_text($7::json) AS i(id)
	WHERE a.config_name = $1 AND a.generation < ` + newGeneration + ` AND a.instance_id = i.id`

func (e *engine) many(n int) bool { return n >= manyInstances && !e.serial }

// gift is one version for some instances.
type gift struct {
	version, hash string
	instances     []string
}

// gifts puts together who gets the same: a fleet of thousands gets one or two
// versions.
func gifts(assigns []rollout.Assign) []gift {
	var all []gift
	for _, a := range assigns {
		i := slices.IndexFunc(all, func(g gift) bool { return g.version == a.Version && g.hash == a.Hash })
		if i < 0 {
			i = len(all)
			all = append(all, gift{version: a.Version, hash: a.Hash})
		}
		all[i].instances = append(all[i].instances, a.InstanceID)
	}
	return all
}

// giving is how versions are given to instances.
type giving struct {
	tx        *Tx
	questions []question
	missing   []question // for what the questions did not find there
}

// giving gives versions to instances under one new generation of the profile.
// No row ever gets a lower generation than it has. An instance that went away meanwhile is
// no target any more.
func (tx *Tx) giving(d rollout.Deployment, assigns []rollout.Assign) *giving {
	g := &giving{tx: tx}
	all := gifts(assigns)
	for _, one := range all {
		g.questions = append(g.questions, assignable(tx.s.engine, d.Profile, one))
	}
	if len(all) > 0 {
		g.questions = append(g.questions, question{
			what: "raise the generation of " + d.Profile,
			text: `UPDATE config_profiles SET generation = generation + 1 WHERE name = $1`, args: []any{d.Profile},
		}.there())
	}
	for _, one := range all {
		g.give(one, d)
	}
	return g
}

// give writes the assignments.
func (g *giving) give(one gift, d rollout.Deployment) {
	n, e := len(one.instances), g.tx.s.engine
	slices.Sort(one.instances) // as the index has them: those that are together on a page are found together
	insert := question{
		what: "assign " + d.Profile, text: e.assignRows(n),
		args: []any{d.Profile, one.version, one.hash, d.ID, stamp(g.tx.now()), d.Span(), asJSON(one.instances)},
	}
	if !e.many(n) {
		g.questions = append(g.questions, insert)
		return
	}
	again := insert
	again.text, again.done = assignAgain, func(had int64) error {
		if had < int64(n) {
			g.missing = append(g.missing, insert)
		}
		return nil
	}
	g.questions = append(g.questions, again)
}

// rest writes what the questions left.
func (g *giving) rest(ctx context.Context) error { return g.tx.tx.together(ctx, g.missing...) }

// assignable refuses a version that does not exist, was not validated, or has
// another hash: an instance would refuse it, or worse, take it. The version stays until
// the transaction ends; from then on the database removes none that is assigned.
func assignable(e *engine, name string, g gift) question {
	return question{
		what: fmt.Sprintf("assign version %s of %s", g.version, name),
		text: `SELECT version FROM config_versions
			WHERE config_name = $1 AND version = $2 AND config_hash = $3 AND validated_at IS NOT NULL` + e.keep,
		args: []any{name, g.version, g.hash}, row: unread,
		done: func(n int64) error {
			if n == 0 {
				return fmt.Errorf("no validated version with the hash %s: %w", g.hash, ErrHashMismatch)
			}
			return nil
		},
	}
}

// AssignmentsOf reads what some instances should run, without its data.
func (s *Store) AssignmentsOf(ctx context.Context, instanceIDs ...string) ([]fleet.Assignment, error) {
	if len(instanceIDs) == 0 {
		return nil, nil
	}
	ids, err := json.Marshal(instanceIDs)
	if err != nil {
		return nil, fmt.Errorf("read assignments: %w", err)
	}
	assignments, err := collect(ctx, s.read, scanAssignment, `SELECT `+assignmentColumns+` FROM config_assignments a
		WHERE `+s.engine.in("a.instance_id", 1)+` ORDER BY a.instance_id, a.config_name`, string(ids))
	if err != nil {
		return nil, fmt.Errorf("read assignments: %w", err)
	}
	return assignments, nil
}

// GenerationMark changes whenever any profile's assignments do: one number for
// everybody who waits for a change and may have missed a message.
func (s *Store) GenerationMark(ctx context.Context) (mark int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT CAST(COALESCE(sum(generation), 0) AS BIGINT) FROM config_profiles`).Scan(&mark)
	if err != nil {
		return 0, fmt.Errorf("read the generations: %w", err)
	}
	return mark, nil
}

const maxApplyError = 2 << 10

// Acknowledge keeps an instance's word on its assignment. Word on an older
// generation tells what it runs meanwhile, but acknowledges nothing. a is the assignment as it was, and changed says
// whether this was news. It returns ErrNotFound for an assignment that
// does not exist and ErrHashMismatch for other content than was assigned.
func (s *Store) Acknowledge(ctx context.Context, ack fleet.Ack) (a fleet.Assignment, changed bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		changed = false
		if err := tx.lockProfile(ctx, ack.Profile); err != nil {
			return err
		}
		if a, err = scanAssignment(tx.tx.QueryRowContext(ctx, `SELECT `+assignmentColumns+` FROM config_assignments a
			WHERE a.instance_id = $1 AND a.config_name = $2`, ack.InstanceID, ack.Profile)); err != nil {
			return notFound(err, ErrNotFound, "assignment of "+ack.Profile+" to instance", ack.InstanceID)
		}
		if ack.Generation < a.Generation || ack.Version != a.Version {
			changed, err = tx.keepOlder(ctx, a, ack)
			return err
		}
		if ack.OK && ack.Hash != a.Hash {
			return fmt.Errorf("version %s of %s on instance %s: %w", ack.Version, ack.Profile, ack.InstanceID, ErrHashMismatch)
		}
		changed, err = tx.acknowledge(ctx, a, ack)
		if err != nil || !changed {
			return err
		}
		return tx.WakeDeployment(ctx, ack.Profile)
	})
	return a, changed, err
}

// keepOlder keeps that the instance took a version from before its newest
// assignment, of which it has not heard yet.
func (tx *Tx) keepOlder(ctx context.Context, a fleet.Assignment, ack fleet.Ack) (changed bool, err error) {
	if !ack.OK || ack.Generation >= a.Generation || ack.Generation <= a.AppliedGeneration {
		return false, nil
	}
	n, err := tx.exec(ctx, `UPDATE config_assignments SET applied = $3, applied_hash = $4, applied_generation = $5, applied_at = $6,
		apply_micros = $7 WHERE instance_id = $1 AND config_name = $2 AND EXISTS (SELECT 1 FROM config_versions v
			WHERE v.config_name = $2 AND v.version = $3 AND v.config_hash = $4)`,
		ack.InstanceID, ack.Profile, ack.Version, ack.Hash, ack.Generation, stamp(tx.now()), ack.Duration.Microseconds())
	if err != nil {
		return false, fmt.Errorf("keep what instance %s ran: %w", ack.InstanceID, err)
	}
	return n > 0, nil
}

func (tx *Tx) acknowledge(ctx context.Context, a fleet.Assignment, ack fleet.Ack) (changed bool, err error) {
	if ack.OK {
		if a.Acknowledged() {
			return false, nil
		}
		// When it first ran this version counts, not when it said so again. Word on
		// a generation that was never given counts for the one that was.
		since := stamp(tx.now())
		if a.Applied == ack.Version && a.AppliedHash == ack.Hash {
			since = stamp(a.AppliedAt)
		}
		_, err = tx.exec(ctx, `UPDATE config_assignments SET applied = $3, applied_hash = $4, applied_generation = $5, applied_at = $6,
			apply_micros = $7, apply_error = '' WHERE instance_id = $1 AND config_name = $2`,
			ack.InstanceID, ack.Profile, ack.Version, ack.Hash, a.Generation, since, ack.Duration.Microseconds())
	} else {
		why := cut(ack.Error, maxApplyError)
		if why == "" {
			why = "the instance gave no reason"
		}
		if a.ApplyError == why {
			return false, nil
		}
		_, err = tx.exec(ctx, `UPDATE config_assignments SET apply_error = $3, apply_micros = $4 WHERE instance_id = $1 AND config_name = $2`,
			ack.InstanceID, ack.Profile, why, ack.Duration.Microseconds())
	}
	if err != nil {
		return false, fmt.Errorf("keep the acknowledgement of instance %s: %w", ack.InstanceID, err)
	}
	return true, nil
}

// cut shortens text to at most n bytes at a rune's border.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}
