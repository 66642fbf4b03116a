package store

import (
	"context"
	"fmt"
)

// counted is how many versions and deployments a transaction adds to a profile.
type counted struct{ versions, deployments int }

// counts remembers, by profile, what is added to the counts of a profile's row when
// the transaction ends: once, and not with each version and deployment.
func (tx *Tx) counts(name string, versions, deployments int) {
	c := tx.added[name]
	tx.added[name] = counted{c.versions + versions, c.deployments + deployments}
}

// writeCounts adds them up: most profiles have the same in common.
func (tx *Tx) writeCounts(ctx context.Context) error {
	alike := map[counted][]string{}
	for name, c := range tx.added {
		alike[c] = append(alike[c], name)
	}
	for c, names := range alike {
		if _, err := tx.exec(ctx, `UPDATE config_profiles SET version_count = version_count + $2, deployment_count = deployment_count + $3
			WHERE `+tx.s.engine.in("name", 1), asJSON(names), c.versions, c.deployments); err != nil {
			return fmt.Errorf("count the versions and deployments of %d profiles: %w", len(names), err)
		}
	}
	return nil
}
