package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Standing is where a profile is: the number of its stable version, "" before the first, and the
// generation of what was assigned of it last.
type Standing struct {
	Profile     string
	Service     string
	Environment profile.Environment
	Version     string
	Hash        string // of that version's data, where one profile is read
	Generation  int64
	Retired     bool
	// ChangedAt is when the profile was written last: it rises whenever Version becomes another.
	ChangedAt time.Time
}

const standingRows = `SELECT name, service, environment, current_version, generation, retired, updated_at FROM config_profiles`

func scanStanding(row scanner) (p Standing, err error) {
	return p, row.Scan(&p.Profile, &p.Service, &p.Environment, &p.Version, &p.Generation, &p.Retired, at(&p.ChangedAt))
}

// StandingOf reads that of one profile; ErrNotFound when there is no such profile, when none of its
// versions completed yet, and when it is retired.
func (s *Store) StandingOf(ctx context.Context, name string) (p Standing, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT name, service, environment, current_version, config_hash, generation, retired, config_profiles.updated_at
		FROM config_profiles JOIN config_versions ON config_name = name AND version = current_version
		WHERE name = $1 AND retired = $2`, name, false).
		Scan(&p.Profile, &p.Service, &p.Environment, &p.Version, &p.Hash, &p.Generation, &p.Retired, at(&p.ChangedAt))
	return p, notFound(err, ErrNotFound, "stable version of", name)
}

// Standings reads those of all profiles, by name.
func (s *Store) Standings(ctx context.Context) ([]Standing, error) {
	all, err := collect(ctx, s.read, scanStanding, standingRows+` ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read where the profiles are: %w", err)
	}
	return all, nil
}

// StandingsWithin reads those of the profiles within a scope that have a stable version and are not
// retired, by name. A service and an environment narrow them, "" does not.
func (s *Store) StandingsWithin(ctx context.Context, scope profile.Scope, service string, environment profile.Environment) ([]Standing, error) {
	w := where{}
	w.add("retired = ", false)
	w.equal("service", service)
	w.equal("environment", string(environment))
	w.narrow(s.engine, scope, (*where).profileWithin)
	all, err := collect(ctx, s.read, scanStanding, standingRows+w.String()+` AND current_version <> '' ORDER BY name`, w.args...)
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
