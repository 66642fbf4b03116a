package store

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// CreateDeployment stores a new deployment, as Create does, inside a transaction.
// Content that a hold in force refuses is ErrRefused, unless the decision ends it; a
// basis that is not so any more is rollout.ErrStale.
func (tx *Tx) CreateDeployment(ctx context.Context, dec rollout.Decision) error {
	return tx.CreateDeployments(ctx, []rollout.Decision{dec})
}

// CreateDeployments does so for deployments of different profiles, and completes them as
// they are stored.
func (tx *Tx) CreateDeployments(ctx context.Context, decisions []rollout.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	names := make([]string, len(decisions))
	for i, dec := range decisions {
		names[i] = dec.Next.Profile
	}
	held, active, err := tx.lockAndLook(ctx, names, decisions)
	if err != nil {
		return err
	}
	if err := tx.unheld(ctx, held, decisions); err != nil {
		return err
	}
	if err := tx.schemasApproved(ctx, decisions); err != nil {
		return err
	}
	if err := tx.supersedeBy(ctx, active, decisions); err != nil {
		return err
	}
	if err := tx.insertDeployments(ctx, decisions); err != nil {
		return err
	}
	for _, dec := range decisions {
		if err := tx.apply(ctx, dec); err != nil {
			return err
		}
	}
	return nil
}

// lockAndLook locks the profiles and, once it has them, looks what the decisions rest
// on: rollout.ErrStale when that is not so any more. It says which profiles are on
// hold, and which have an active deployment.
func (tx *Tx) lockAndLook(ctx context.Context, names []string, decisions []rollout.Decision) (held, active map[string]bool, err error) {
	held, active = map[string]bool{}, map[string]bool{}
	questions := tx.lockingNamed(names)
	for _, dec := range decisions {
		if dec.Basis != nil {
			questions = append(questions, resting(dec.Next.Profile, *dec.Basis))
		}
	}
	questions = append(questions,
		tx.among(held, names, `SELECT config_name FROM config_holds WHERE released_at IS NULL AND `),
		tx.among(active, names, `SELECT config_name FROM config_deployments WHERE finished_at IS NULL AND `))
	if err := tx.tx.together(ctx, questions...); err != nil {
		return nil, nil, fmt.Errorf("deploy to %s: %w", andMore(names[0], len(names)), err)
	}
	return held, active, nil
}

// among is the question which of the profiles a query gives that ends in the condition
// on their names. For one, that is a condition which no engine takes for one on many.
func (tx *Tx) among(found map[string]bool, names []string, query string) question {
	condition, arg := tx.s.engine.in("config_name", 1), any(asJSON(names))
	if len(names) == 1 {
		condition, arg = "config_name = $1", names[0]
	}
	return question{text: query + condition, args: []any{arg}, row: func(row scanner) error {
		name, err := scanName(row)
		found[name] = true
		return err
	}}
}

// unheld is nil when no hold in force refuses a deployment's content, or when its
// decision ends that hold.
func (tx *Tx) unheld(ctx context.Context, held map[string]bool, decisions []rollout.Decision) error {
	for _, dec := range decisions {
		if !held[dec.Next.Profile] || dec.Next.Kind != rollout.Forward {
			continue
		}
		if err := tx.releaseBy(ctx, dec); err != nil {
			return err
		}
	}
	return nil
}

// releaseBy ends the hold that refuses the deployment's content, if the decision does.
func (tx *Tx) releaseBy(ctx context.Context, dec rollout.Decision) error {
	d := dec.Next
	hold, held, err := tx.ActiveHold(ctx, d.Profile)
	if err != nil || !held || hold.RefusedHash != d.Hash {
		return err
	}
	if dec.Release == "" {
		return fmt.Errorf("deploy %s of %s: %w", d.Version, d.Profile, ErrRefused)
	}
	return tx.ReleaseHold(ctx, d.Profile, d.InitiatedBy, dec.Release)
}

// unapproved are those among the profiles and versions in the JSON array $1 that a
// registered schema checked which nobody approved.
var unapproved = text{
	sqlite: `SELECT v.config_name, v.version, v.schema_id FROM json_each($1) AS wanted
		JOIN config_versions v ON v.config_name = json_extract(wanted.value, '$[0]') AND v.version = json_extract(wanted.value, '$[1]')` + onlyUnapproved,
	postgres: `SELECT v.config_name, v.version, v.schema_id FROM json_array_elements($1::json) AS wanted
		CROSS JOIN LATERAL (SELECT * FROM config_versions
			WHERE config_name = wanted->>0 AND version = wanted->>1` + eachByItself + `) AS v` + onlyUnapproved,
}

const onlyUnapproved = `
	WHERE EXISTS (SELECT 1 FROM config_schemas s WHERE s.schema_id = v.schema_id AND s.schema_hash = v.schema_hash)
	  AND NOT EXISTS (SELECT 1 FROM config_schemas s WHERE s.schema_id = v.schema_id AND s.status = 'Approved')
	LIMIT 1`

// schemasApproved guards Production: a version that was checked by a registered
// schema starts only while the schema has an Approved edition. What leads back
// asks no schema.
func (tx *Tx) schemasApproved(ctx context.Context, decisions []rollout.Decision) error {
	var wanted [][2]string
	for _, dec := range decisions {
		if d := dec.Next; d.Kind == rollout.Forward && d.Selector.Environment == profile.Production {
			wanted = append(wanted, [2]string{d.Profile, d.Version})
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	type use struct{ profile, version, schema string }
	found, err := collect(ctx, tx.tx, func(row scanner) (u use, err error) { return u, row.Scan(&u.profile, &u.version, &u.schema) },
		tx.s.engine.pick(unapproved), asJSON(wanted))
	if err != nil {
		return fmt.Errorf("read the schemas of %s: %w", andMore(wanted[0][0]+" "+wanted[0][1], len(wanted)), err)
	}
	if len(found) > 0 {
		return fmt.Errorf("deploy %s of %s: schema %s: %w", found[0].version, found[0].profile, found[0].schema, ErrNotApproved)
	}
	return nil
}

// supersedeBy ends the active deployments of the profiles that get a new one.
func (tx *Tx) supersedeBy(ctx context.Context, active map[string]bool, decisions []rollout.Decision) error {
	for _, dec := range decisions {
		if !active[dec.Next.Profile] {
			continue
		}
		if err := tx.supersede(ctx, dec.Next.Profile, fmt.Sprintf("superseded by %s", dec.Next.Version), &dec.Next.Selector); err != nil {
			return err
		}
	}
	return nil
}
