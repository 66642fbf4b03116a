package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/profile"
)

// RegisteredSchema is Schema for who can do without: ok is false for a schema
// that was not registered.
func (s *Store) RegisteredSchema(ctx context.Context, id string) (e profile.SchemaEdition, ok bool, err error) {
	e, err = s.Schema(ctx, id)
	return found(e, err)
}

// RegisteredEdition is SchemaByHash for who can do without.
func (s *Store) RegisteredEdition(ctx context.Context, id, hash string) (e profile.SchemaEdition, ok bool, err error) {
	e, err = s.SchemaByHash(ctx, id, hash)
	return found(e, err)
}

func found[T any](v T, err error) (T, bool, error) {
	if errors.Is(err, ErrNotFound) {
		return v, false, nil
	}
	return v, err == nil, err
}

// ChangedSchemas lists the registered schemas that changed since the source's
// profiles were last looked at for that, by ID, and up to which change that is.
func (s *Store) ChangedSchemas(ctx context.Context, source string) (ids []string, through int64, err error) {
	type change struct {
		id string
		at int64
	}
	changes, err := collect(ctx, s.read, func(row scanner) (c change, err error) { return c, row.Scan(&c.id, &c.at) },
		`SELECT schema_id, max(change_seq) FROM config_schemas
		 WHERE change_seq > COALESCE((SELECT schemas_seen FROM sources WHERE id = $1), 0) GROUP BY schema_id ORDER BY schema_id`, source)
	if err != nil {
		return nil, 0, fmt.Errorf("look for schemas that changed since source %s saw them: %w", source, err)
	}
	for _, c := range changes {
		ids, through = append(ids, c.id), max(through, c.at)
	}
	return ids, through, nil
}

// SeeSchemas keeps up to which change of registered schemas the source's
// profiles were looked at.
func (tx *Tx) SeeSchemas(ctx context.Context, source string, through int64) error {
	if _, err := tx.exec(ctx, `UPDATE sources SET schemas_seen = $2 WHERE id = $1 AND schemas_seen < $2`, source, through); err != nil {
		return fmt.Errorf("remember what source %s saw of schemas: %w", source, err)
	}
	return nil
}
