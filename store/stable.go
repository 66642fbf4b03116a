package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Stable is the stable version of a profile: what everybody gets whom nothing is assigned.
type Stable struct {
	Profile     string
	Service     string
	Environment profile.Environment
	Version     string
	Hash        string // of its data, where one profile is read
	// ChangedAt is when the profile was written last: it rises whenever Version becomes another.
	ChangedAt time.Time
}

const stableColumns = `name, service, environment, current_version, updated_at`

func scanStable(row scanner) (s Stable, err error) {
	return s, row.Scan(&s.Profile, &s.Service, &s.Environment, &s.Version, at(&s.ChangedAt))
}

// StableOf reads the stable version of one profile; ErrNotFound when there is no such profile, when
// none of its versions completed yet, and when it is retired.
func (s *Store) StableOf(ctx context.Context, name string) (Stable, error) {
	var found Stable
	err := s.read.QueryRowContext(ctx, `SELECT name, service, environment, current_version, config_profiles.updated_at, config_hash FROM config_profiles
		JOIN config_versions ON config_name = name AND version = current_version
		WHERE name = $1 AND retired = $2`, name, false).
		Scan(&found.Profile, &found.Service, &found.Environment, &found.Version, at(&found.ChangedAt), &found.Hash)
	return found, notFound(err, ErrNotFound, "stable version of", name)
}

// Stables reads those of all profiles within a scope, by name. A service and an environment narrow
// them, "" does not.
func (s *Store) Stables(ctx context.Context, scope profile.Scope, service string, environment profile.Environment) ([]Stable, error) {
	w := where{}
	w.add("retired = ", false)
	w.equal("service", service)
	w.equal("environment", string(environment))
	w.narrow(s.engine, scope, (*where).profileWithin)
	all, err := collect(ctx, s.read, scanStable, `SELECT `+stableColumns+` FROM config_profiles`+w.String()+
		` AND current_version <> '' ORDER BY name`, w.args...)
	if err != nil {
		return nil, fmt.Errorf("read the stable versions: %w", err)
	}
	return all, nil
}

// Standing is where a profile is: its stable version, "" before the first, and the generation of what
// was assigned of it last.
type Standing struct {
	Stable
	Generation int64
	Retired    bool
}

// Standings reads those of all profiles, by name.
func (s *Store) Standings(ctx context.Context) ([]Standing, error) {
	all, err := collect(ctx, s.read, func(row scanner) (p Standing, err error) {
		return p, row.Scan(&p.Profile, &p.Service, &p.Environment, &p.Version, at(&p.ChangedAt), &p.Generation, &p.Retired)
	}, `SELECT `+stableColumns+`, generation, retired FROM config_profiles ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read where the profiles are: %w", err)
	}
	return all, nil
}

// ProfilesChangedAt is when any profile was written last, zero while there is none: it rises
// whenever the stable version of any becomes another.
func (s *Store) ProfilesChangedAt(ctx context.Context) (last time.Time, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT max(updated_at) FROM config_profiles`).Scan(at(&last)); err != nil {
		return time.Time{}, fmt.Errorf("read when a profile changed last: %w", err)
	}
	return last, nil
}
