package store

import (
	"context"
	"fmt"
	"slices"
)

// lockProfile keeps everybody else from changing the profile, its deployments
// and its assignments until the transaction ends. It does not lock a row that
// is not there yet.
func (tx *Tx) lockProfile(ctx context.Context, name string) error {
	return tx.lockProfiles(ctx, `name = $1`, name)
}

// lockNamed does so for several profiles. Those that the transaction wrote are locked.
func (tx *Tx) lockNamed(ctx context.Context, names []string) error {
	if err := tx.tx.together(ctx, tx.lockingNamed(names)...); err != nil {
		return fmt.Errorf("lock profiles: %w", err)
	}
	return nil
}

// lockingNamed asks nothing where there is nothing left to lock.
func (tx *Tx) lockingNamed(names []string) []question {
	open := make([]string, 0, len(names))
	for _, name := range names {
		if !tx.written[name] {
			open = append(open, name)
		}
	}
	switch len(open) {
	case 0:
		return nil
	case 1:
		return tx.locking(`name = $1`, open[0])
	}
	return tx.locking(tx.s.engine.in("name", 1), asJSON(open))
}

// lockProfilesOf does so for every profile of an instance's service.
func (tx *Tx) lockProfilesOf(ctx context.Context, instanceID string) error {
	return tx.lockProfiles(ctx, `name IN (SELECT p.name FROM service_instances i
		JOIN config_profiles p ON p.service = i.service_name AND p.environment = i.environment WHERE i.instance_id = $1)`, instanceID)
}

func (tx *Tx) lockProfiles(ctx context.Context, condition string, arg any) error {
	if err := tx.tx.together(ctx, tx.locking(condition, arg)...); err != nil {
		return fmt.Errorf("lock profiles: %w", err)
	}
	return nil
}

// locking is the question that locks profiles, to be asked before what needs the
// lock; none where nothing does.
func (tx *Tx) locking(condition string, arg any) []question {
	if tx.s.engine.serial {
		return nil
	}
	return []question{{
		text: `SELECT name FROM config_profiles WHERE ` + condition + ` ORDER BY name` + tx.s.engine.lock, args: []any{arg}, row: unread,
	}}
}

// unread takes a row of which only counts that it was there.
func unread(row scanner) error {
	_, err := scanName(row)
	return err
}

// lockingCommits is the question that keeps others from writing the aggregate
// statuses of the commits: two profiles of one commit that change at once must see
// each other.
func (tx *Tx) lockingCommits(commits []commitOf) []question {
	if tx.s.engine.serial {
		return nil
	}
	keys := make([]string, len(commits))
	for i, of := range commits {
		keys[i] = of.source + "/" + of.commit
	}
	slices.Sort(keys)
	return []question{{
		text: `SELECT pg_advisory_xact_lock(hashtextextended(value, 1)) FROM json_array_elements_text($1::json)`, args: []any{asJSON(keys)},
	}}
}

func scanName(row scanner) (name string, err error) { return name, row.Scan(&name) }
