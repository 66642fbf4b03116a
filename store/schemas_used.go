package store

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/profile"
)

// SchemaUse is a schema that profiles name, registered or of their repository.
type SchemaUse struct {
	ID       string
	Profiles int
}

// SchemaUses lists the schemas that profiles within the scope name, by ID;
// retired profiles left out.
func (s *Store) SchemaUses(ctx context.Context, scope profile.Scope) ([]SchemaUse, error) {
	w := where{terms: []string{"schema_id <> ''", "NOT retired"}}
	w.narrow(s.engine, scope, (*where).profileWithin)
	uses, err := collect(ctx, s.read, func(row scanner) (u SchemaUse, err error) { return u, row.Scan(&u.ID, &u.Profiles) },
		`SELECT schema_id, count(*) FROM config_profiles`+w.String()+` GROUP BY schema_id ORDER BY schema_id`, w.args...)
	if err != nil {
		return nil, fmt.Errorf("list the schemas that profiles name: %w", err)
	}
	return uses, nil
}

// ProfilesUnder lists, by name, profiles within the scope that name a schema, and
// how many there are in all; retired ones left out.
func (s *Store) ProfilesUnder(ctx context.Context, schema string, scope profile.Scope, limit int) ([]profile.Record, int, error) {
	w := where{terms: []string{"NOT retired"}}
	w.equal("schema_id", schema)
	w.narrow(s.engine, scope, (*where).profileWithin)
	return listed(ctx, s.read, w, "config_profiles", profileColumns, "name", limit, 0, shown(ctx, s, scanProfile))
}

// ApprovedVersions are the newest Approved versions of registered schemas, by ID.
func (s *Store) ApprovedVersions(ctx context.Context) (map[string]string, error) {
	approved := map[string]string{}
	_, err := collect(ctx, s.read, func(row scanner) (id string, err error) {
		var version string
		if err := row.Scan(&id, &version); err != nil {
			return id, err
		}
		approved[id] = version
		return id, nil
	}, `SELECT schema_id, version FROM config_schemas WHERE seq IN (SELECT max(seq) FROM config_schemas WHERE status = 'Approved' GROUP BY schema_id)`)
	if err != nil {
		return nil, fmt.Errorf("list the approved versions of schemas: %w", err)
	}
	return approved, nil
}

// Registered says which of the IDs are of registered schemas.
func (s *Store) Registered(ctx context.Context, ids []string) (map[string]bool, error) {
	registered := map[string]bool{}
	_, err := collect(ctx, s.read, func(row scanner) (id string, err error) {
		if err := row.Scan(&id); err != nil {
			return id, err
		}
		registered[id] = true
		return id, nil
	}, `SELECT DISTINCT schema_id FROM config_schemas WHERE `+s.engine.in("schema_id", 1), asJSON(ids))
	if err != nil {
		return nil, fmt.Errorf("look which schemas are registered: %w", err)
	}
	return registered, nil
}
