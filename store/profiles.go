package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

const profileColumns = `name, description, service, environment, service_type, schema_id, target_labels, default_strategy,
	health, windows, settings, origin, source_id, path, dependencies, current_version, desired_version, generation, retired,
	version_count, deployment_count, created_at, updated_at, created_by`

func scanProfile(row scanner) (profile.Record, error) {
	var r profile.Record
	var bad damage
	err := row.Scan(&r.Name, &r.Description, &r.Service, &r.Environment, &r.ServiceType, &r.SchemaID,
		bad.json(&r.Targets.Labels), bad.json(&r.Strategy), bad.json(&r.Health), bad.json(&r.Windows), bad.json(&r.Settings),
		&r.Origin, &r.Source, &r.Path, bad.json(&r.Dependencies), &r.CurrentVersion, &r.DesiredVersion, &r.Generation, &r.Retired,
		&r.VersionCount, &r.DeploymentCount, at(&r.CreatedAt), at(&r.UpdatedAt), &r.CreatedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	return r, bad.of("config_profiles", r.Name, err)
}

// PutProfile creates or updates a profile's definition, its desired version and
// whether it is retired. The current version, the generation and the counts
// are the store's own. A profile that another source or the API manages is ErrConflict.
func (tx *Tx) PutProfile(ctx context.Context, r profile.Record) error {
	return tx.PutProfiles(ctx, []profile.Record{r})
}

// putProfiles is the statement that writes profiles.
var putProfiles = into("config_profiles", `name, description, service, environment, service_type, schema_id, target_labels json,
	default_strategy json, health json, windows json, settings json, origin, source_id, path, dependencies json, desired_version,
	retired boolean, created_at timestamptz, updated_at timestamptz, created_by`,
	`ON CONFLICT (name) DO UPDATE SET description = excluded.description, service = excluded.service,
		 environment = excluded.environment, service_type = excluded.service_type, schema_id = excluded.schema_id,
		 target_labels = excluded.target_labels, default_strategy = excluded.default_strategy, health = excluded.health,
		 windows = excluded.windows, settings = excluded.settings, origin = excluded.origin, source_id = excluded.source_id,
		 path = excluded.path, dependencies = excluded.dependencies, desired_version = excluded.desired_version,
		 retired = excluded.retired, updated_at = excluded.updated_at
		WHERE config_profiles.origin = excluded.origin AND config_profiles.source_id = excluded.source_id`)

// PutProfiles does so for several profiles of different names.
func (tx *Tx) PutProfiles(ctx context.Context, records []profile.Record) error {
	if len(records) == 0 {
		return nil
	}
	now := stamp(tx.now())
	n, err := putProfiles.write(ctx, tx.tx, len(records), func(i int) []any {
		r := &records[i]
		return []any{r.Name, r.Description, r.Service, r.Environment, r.ServiceType, r.SchemaID, asJSON(&r.Targets.Labels), asJSON(&r.Strategy),
			asJSON(&r.Health), asJSON(&r.Windows), asJSON(&r.Settings), r.Origin, r.Source, r.Path, asJSON(&r.Dependencies),
			r.DesiredVersion, r.Retired, now, now, r.CreatedBy}
	})
	first := records[0]
	if err == nil && n < int64(len(records)) {
		first, err = tx.foreign(ctx, records)
	}
	if err != nil {
		return fmt.Errorf("write profile %s: %w", andMore(first.Name, len(records)), err)
	}
	for _, r := range records {
		tx.written[r.Name] = true
	}
	return nil
}

// foreign finds, among profiles that were to be written, the first one that another
// source or the API manages.
func (tx *Tx) foreign(ctx context.Context, records []profile.Record) (profile.Record, error) {
	for _, r := range records {
		if n, err := count(ctx, tx.tx, `SELECT count(*) FROM config_profiles WHERE name = $1 AND origin = $2 AND source_id = $3`,
			r.Name, r.Origin, r.Source); err != nil || n == 0 {
			return r, errors.Join(err, fmt.Errorf("another source or the API manages it: %w", ErrConflict))
		}
	}
	return records[0], fmt.Errorf("it was not written: %w", ErrConflict)
}

// PutProfile does so in a transaction of its own.
func (s *Store) PutProfile(ctx context.Context, r profile.Record) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.PutProfile(ctx, r) })
}

// TakeOver gives a profile to a source, unless it is not as its owner was read: another source's, back, or gone.
func (tx *Tx) TakeOver(ctx context.Context, name string, from profile.Owner, source string) error {
	n, err := tx.exec(ctx, `UPDATE config_profiles SET origin = $2, source_id = $3, updated_at = $4
		WHERE name = $1 AND source_id = $5 AND retired = $6`, name, profile.OriginGit, source, stamp(tx.now()), from.Source, from.Retired)
	if err == nil && n == 0 {
		err = rollout.ErrStale
	}
	if err != nil {
		return fmt.Errorf("give profile %s to source %s: %w", name, source, err)
	}
	return nil
}

// RetireProfile marks the profile as gone from Git. Nothing that runs is touched.
func (tx *Tx) RetireProfile(ctx context.Context, name string) error {
	n, err := tx.exec(ctx, `UPDATE config_profiles SET retired = $2, updated_at = $3 WHERE name = $1`, name, true, stamp(tx.now()))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("retire profile %s: %w", name, err)
	}
	return nil
}

// Profile reads one profile; ErrNotFound when there is none.
func (s *Store) Profile(ctx context.Context, name string) (profile.Record, error) {
	r, err := scanProfile(s.read.QueryRowContext(ctx, profileNamed, name))
	return r, notFound(err, ErrNotFound, "profile", name)
}

const profileNamed = `SELECT ` + profileColumns + ` FROM config_profiles WHERE name = $1`

// ProfileFilter narrows a list of profiles. Zero fields do not.
type ProfileFilter struct {
	Environment, ServiceType, Source string
	Search                           string // a part of the name, in whatever case
	Held, Retired                    *bool
	Scope                            profile.Scope
	Limit, Offset                    int
}

// Profiles lists profiles by name, and how many there are in all.
func (s *Store) Profiles(ctx context.Context, f ProfileFilter) ([]profile.Record, int, error) {
	w := where{}
	w.equal("environment", f.Environment)
	w.equal("service_type", f.ServiceType)
	w.equal("source_id", f.Source)
	w.contains("name", f.Search)
	w.narrow(s.engine, f.Scope, (*where).profileWithin)
	if f.Retired != nil {
		w.add("retired = ", *f.Retired)
	}
	if f.Held != nil {
		in := "IN"
		if !*f.Held {
			in = "NOT IN"
		}
		w.add("name "+in+" (SELECT config_name FROM config_holds WHERE released_at IS NULL AND (expires_at IS NULL OR expires_at > ",
			stamp(s.now()), "))")
	}
	return listed(ctx, s.read, w, "config_profiles", profileColumns, "name", f.Limit, f.Offset, shown(ctx, s, scanProfile))
}

// SourceProfiles reads where the files of the profiles lie that the source manages,
// retired ones too, in no order. A corrupt one is given as far as it can be read; the next commit
// that touches its file writes it anew.
func (s *Store) SourceProfiles(ctx context.Context, source string) ([]profile.Placed, error) {
	var p profile.Placed
	var bad damage
	dest := []any{&p.Name, &p.Environment, &p.SchemaID, &p.Path,
		&words[[]string]{of: map[string][]string{}, into: &p.Dependencies, bad: &bad}, &p.Retired}
	placed, err := collect(ctx, s.read, shown(ctx, s, func(row scanner) (profile.Placed, error) {
		p, bad = profile.Placed{}, damage{}
		err := row.Scan(dest...)
		return p, bad.of("config_profiles", p.Name, err)
	}), `SELECT name, environment, schema_id, path, dependencies, retired FROM config_profiles WHERE source_id = $1`, source)
	if err != nil {
		return nil, fmt.Errorf("read the profiles of source %s: %w", source, err)
	}
	return placed, nil
}

// NamedProfiles reads the profiles of these names, a corrupt one as far as it can be
// read. Those that there are not are left out.
func (s *Store) NamedProfiles(ctx context.Context, names []string) ([]profile.Record, error) {
	records, err := collect(ctx, s.read, shown(ctx, s, scanProfile),
		`SELECT `+profileColumns+` FROM config_profiles WHERE `+s.engine.in("name", 1)+` ORDER BY name`, asJSON(names))
	if err != nil {
		return nil, fmt.Errorf("read %d profiles: %w", len(names), err)
	}
	return records, nil
}

// ProfileOwners says who manages each of the names; free ones are left out.
func (s *Store) ProfileOwners(ctx context.Context, names []string) (map[string]profile.Owner, error) {
	owners := make(map[string]profile.Owner)
	if len(names) == 0 {
		return owners, nil
	}
	_, err := collect(ctx, s.read, func(row scanner) (name string, err error) {
		var owner profile.Owner
		if err := row.Scan(&name, &owner.Source, &owner.Retired); err != nil {
			return name, err
		}
		owners[name] = owner
		return name, nil
	}, `SELECT name, source_id, retired FROM config_profiles WHERE `+s.engine.in("name", 1), asJSON(names))
	if err != nil {
		return nil, fmt.Errorf("read the owners of %d profiles: %w", len(names), err)
	}
	return owners, nil
}
