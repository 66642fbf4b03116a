package store

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/rollout"
)

// FactRestored is the audit event of a database that was put back.
const FactRestored = "store.restored"

// generationLeap is more than a profile was ever assigned between a backup and
// its restore.
const generationLeap = 1_000_000

// RaiseGenerations puts the generation of every profile, and of every
// assignment, above any that was given before the database was put back to an
// earlier state: an instance refuses what is older than what it was told last.
// Every instance then takes what the database says, or confirms that it runs it.
//
// The time in seconds is the floor, so that the same backup restored twice
// rises twice. It returns how many profiles were raised.
func (s *Store) RaiseGenerations(ctx context.Context, why string) (profiles int, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfiles(ctx, `name > $1`, ""); err != nil { // all of them
			return err
		}
		floor := tx.now().Unix()
		n, err := tx.exec(ctx, `UPDATE config_profiles SET generation = $2 + CASE WHEN generation > $1 THEN generation ELSE $1 END`,
			floor, generationLeap)
		if err != nil {
			return err
		}
		profiles = int(n)
		if _, err := tx.exec(ctx, `UPDATE config_assignments SET generation = (SELECT p.generation FROM config_profiles p
			WHERE p.name = config_assignments.config_name)`); err != nil {
			return err
		}
		return tx.Record(ctx, rollout.Fact{
			Type: FactRestored, EntityType: "store", EntityID: "generations", Actor: rollout.Daemon,
			Details: map[string]any{"reason": why, "profiles": profiles},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("raise the generations: %w", err)
	}
	return profiles, nil
}
