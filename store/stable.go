package store

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/profile"
)

// StableVersions lists the stable version of every profile that has one, by name, those
// of retired profiles too. A corrupt row is left out.
func (s *Store) StableVersions(ctx context.Context) ([]profile.Stable, error) {
	list, err := sound(ctx, s, s.read, scanStable, `SELECT p.name, p.service, p.environment, p.target_labels, p.retired, v.version, v.config_hash
		FROM config_profiles p JOIN config_versions v ON v.config_name = p.name AND v.version = p.current_version ORDER BY p.name`)
	if err != nil {
		return nil, fmt.Errorf("list the stable versions: %w", err)
	}
	return list, nil
}

func scanStable(row scanner) (v profile.Stable, err error) {
	var bad damage
	err = row.Scan(&v.Profile, &v.Service, &v.Environment, bad.json(&v.Targets.Labels), &v.Retired, &v.Version, &v.Hash)
	return v, bad.of("config_profiles", v.Profile, err)
}
