package store

import (
	"context"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// The audit events of registered schemas.
const (
	FactSchemaRegistered = "schema.registered"
	FactSchemaApproved   = "schema.approved"
	FactSchemaDeprecated = "schema.deprecated"
	// FactSchemaViolated is told of a profile whose newest version does not satisfy an edition that was approved.
	FactSchemaViolated = "schema.violated"
)

const schemaColumns = `schema_id, version, schema_hash, compatibility, compared_with, breaks, status, approved_by, approved_at,
	deprecated_by, deprecated_at, deprecation_reason, created_at, created_by`

func schemaDest(e *profile.SchemaEdition) []any {
	return []any{&e.ID, &e.Version, &e.Hash, &e.Compatibility, &e.ComparedWith, asJSON(&e.Breaks), &e.Status, &e.ApprovedBy, at(&e.ApprovedAt),
		&e.DeprecatedBy, at(&e.DeprecatedAt), &e.Deprecation, at(&e.CreatedAt), &e.CreatedBy}
}

func scanSchema(row scanner) (e profile.SchemaEdition, err error) {
	return e, row.Scan(schemaDest(&e)...)
}

func scanWholeSchema(row scanner) (e profile.SchemaEdition, err error) {
	var definition string
	err = row.Scan(append(schemaDest(&e), &definition)...)
	e.Definition = []byte(definition)
	return e, err
}

// usableSchema puts the edition that an ID means first: as profile.Usable does.
const usableSchema = ` ORDER BY CASE status WHEN 'Approved' THEN 0 WHEN 'Deprecated' THEN 2 ELSE 1 END, seq DESC LIMIT 1`

// Schema reads the edition that a schema's ID means: the newest Approved one,
// while there is none the newest that is not Deprecated, else the newest.
// ErrNotFound for a schema that was not registered.
func (s *Store) Schema(ctx context.Context, id string) (profile.SchemaEdition, error) {
	e, err := scanWholeSchema(s.read.QueryRowContext(ctx, `SELECT `+schemaColumns+`, schema_definition FROM config_schemas WHERE schema_id = $1`+usableSchema, id))
	return e, notFound(err, ErrNotFound, "schema", id)
}

// SchemaEdition reads one version of a schema, the newest with the version "";
// ErrNotFound when there is none.
func (s *Store) SchemaEdition(ctx context.Context, id, version string) (profile.SchemaEdition, error) {
	return schemaEdition(ctx, s.read, id, version)
}

func schemaEdition(ctx context.Context, q querier, id, version string) (profile.SchemaEdition, error) {
	e, err := scanWholeSchema(q.QueryRowContext(ctx, `SELECT `+schemaColumns+`, schema_definition FROM config_schemas
		WHERE schema_id = $1 AND ($2 = '' OR version = $2) ORDER BY seq DESC LIMIT 1`, id, version))
	return e, notFound(err, ErrNotFound, "version "+version+" of schema", id)
}

// SchemaByHash reads the edition of a schema with that content; ErrNotFound
// when none was registered, as for a schema of Git.
func (s *Store) SchemaByHash(ctx context.Context, id, hash string) (profile.SchemaEdition, error) {
	e, err := scanWholeSchema(s.read.QueryRowContext(ctx, `SELECT `+schemaColumns+`, schema_definition FROM config_schemas
		WHERE schema_id = $1 AND schema_hash = $2`+usableSchema, id, hash))
	return e, notFound(err, ErrNotFound, "an edition of schema", id)
}

// SchemaFilter narrows a list of schemas. Zero fields do not.
type SchemaFilter struct {
	ID, Status    string
	Newest        bool // of each schema the newest edition alone
	Limit, Offset int
}

// Schemas lists the editions of registered schemas without their definitions, by
// ID and the newest first, and how many there are in all.
func (s *Store) Schemas(ctx context.Context, f SchemaFilter) ([]profile.SchemaEdition, int, error) {
	w := where{}
	w.equal("schema_id", f.ID)
	w.equal("status", f.Status)
	if f.Newest {
		w.terms = append(w.terms, "seq IN (SELECT max(seq) FROM config_schemas GROUP BY schema_id)")
	}
	return listed(ctx, s.read, w, "config_schemas", schemaColumns, "schema_id, seq DESC", f.Limit, f.Offset, scanSchema)
}

// maxEditions bounds what one schema can have: what is compared and listed with
// it is all of them.
const maxEditions = 1000

// ErrTooMany is returned for one more of something than there may be.
var ErrTooMany = fmt.Errorf("too many: %w", ErrConflict)

// SchemaEditions reads every edition of a schema with its definition, the newest
// first; none for a schema that was not registered.
func (s *Store) SchemaEditions(ctx context.Context, id string) ([]profile.SchemaEdition, error) {
	editions, err := collect(ctx, s.read, scanWholeSchema,
		`SELECT `+schemaColumns+`, schema_definition FROM config_schemas WHERE schema_id = $1 ORDER BY seq DESC`, id)
	if err != nil {
		return nil, fmt.Errorf("read the versions of schema %s: %w", id, err)
	}
	return editions, nil
}

// RegisterSchema adds an edition that was judged against those that Known lists,
// newest first; rollout.ErrStale when there are others meanwhile, and when one
// of them changed.
func (s *Store) RegisterSchema(ctx context.Context, e profile.SchemaEdition, known []profile.SchemaEdition, actor string) (profile.SchemaEdition, error) {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockSchemas(ctx); err != nil {
			return err
		}
		if err := tx.sameEditions(ctx, e.ID, known); err != nil {
			return err
		}
		e.CreatedAt, e.CreatedBy = tx.now(), actor
		if e.Breaks == nil {
			e.Breaks = []profile.SchemaBreak{}
		}
		if _, err := tx.exec(ctx, `INSERT INTO config_schemas (schema_id, version, schema_definition, schema_hash, compatibility,
			compared_with, breaks, status, change_seq, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, `+nextChange+`, $9, $10)`,
			e.ID, e.Version, string(e.Definition), e.Hash, e.Compatibility, e.ComparedWith, asJSON(e.Breaks), e.Status,
			stamp(e.CreatedAt), e.CreatedBy); err != nil {
			return fmt.Errorf("register schema %s %s: %w", e.ID, e.Version, err)
		}
		return tx.Record(ctx, schemaFact(FactSchemaRegistered, e, actor, map[string]any{
			"status": string(e.Status), "compatibility": string(e.Compatibility), "comparedWith": e.ComparedWith, "breaks": len(e.Breaks),
		}))
	})
	return e, err
}

// sameEditions is rollout.ErrStale when the editions of a schema are not those
// that somebody decided on.
func (tx *Tx) sameEditions(ctx context.Context, id string, known []profile.SchemaEdition) error {
	now, err := collect(ctx, tx.tx, scanSchema, `SELECT `+schemaColumns+` FROM config_schemas WHERE schema_id = $1 ORDER BY seq DESC`, id)
	if err != nil {
		return fmt.Errorf("read the versions of schema %s: %w", id, err)
	}
	if len(now) >= maxEditions {
		return fmt.Errorf("schema %s has %d versions: %w", id, len(now), ErrTooMany)
	}
	stale := len(now) != len(known)
	for i := 0; i < len(now) && !stale; i++ {
		stale = now[i].Version != known[i].Version || now[i].Status != known[i].Status
	}
	if stale {
		return fmt.Errorf("schema %s changed meanwhile: %w", id, rollout.ErrStale)
	}
	return nil
}

// nextChange is the number of a change: it rises over all schemas.
const nextChange = `(SELECT COALESCE(max(change_seq), 0) + 1 FROM config_schemas)`

// lockSchemas keeps everybody else from changing schemas until the transaction
// ends, so that changes are numbered in the order in which others see them.
func (tx *Tx) lockSchemas(ctx context.Context) error {
	if tx.s.engine.serial {
		return nil
	}
	if _, err := tx.exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('schemas', 3))`); err != nil {
		return fmt.Errorf("lock the schemas: %w", err)
	}
	return nil
}

// ErrSchemaDeprecated is returned for an approval of an edition that was
// deprecated: that is its end.
var ErrSchemaDeprecated = fmt.Errorf("it is Deprecated, which is its end: register the next version (%w)", ErrConflict)

// SchemaViolation is a profile whose newest version does not satisfy an edition.
type SchemaViolation struct {
	Profile, Version string
	Errors           []profile.FieldError
}

// ApproveSchema lets Production be deployed to under an edition, the newest with
// the version "", and records the profiles that do not satisfy it. Approving twice
// changes nothing; ErrSchemaDeprecated for one that was deprecated.
func (s *Store) ApproveSchema(ctx context.Context, id, version, actor, reason string, violated []SchemaViolation) (e profile.SchemaEdition, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockSchemas(ctx); err != nil {
			return err
		}
		if e, err = schemaEdition(ctx, tx.tx, id, version); err != nil {
			return err
		}
		switch e.Status {
		case profile.SchemaApproved:
			return nil
		case profile.SchemaDeprecated:
			return fmt.Errorf("approve schema %s %s: %w", id, e.Version, ErrSchemaDeprecated)
		}
		was := e.Status
		e.Status, e.ApprovedBy, e.ApprovedAt = profile.SchemaApproved, actor, tx.now()
		if _, err := tx.exec(ctx, `UPDATE config_schemas SET status = $3, approved_by = $4, approved_at = $5, change_seq = `+nextChange+`
			WHERE schema_id = $1 AND version = $2`, id, e.Version, e.Status, actor, stamp(e.ApprovedAt)); err != nil {
			return fmt.Errorf("approve schema %s %s: %w", id, e.Version, err)
		}
		if err := tx.Record(ctx, schemaFact(FactSchemaApproved, e, actor, map[string]any{"was": string(was), "reason": reason, "violations": len(violated)})); err != nil {
			return err
		}
		return tx.recordViolations(ctx, e, actor, violated)
	})
	return e, err
}

func (tx *Tx) recordViolations(ctx context.Context, e profile.SchemaEdition, actor string, violated []SchemaViolation) error {
	for _, v := range violated {
		first := ""
		if len(v.Errors) > 0 {
			first = v.Errors[0].Error()
		}
		if err := tx.Record(ctx, rollout.Fact{
			Type: FactSchemaViolated, EntityType: "profile", EntityID: v.Profile, Actor: actor,
			Details: map[string]any{"schema": e.ID, "schemaVersion": e.Version, "version": v.Version, "errors": len(v.Errors), "first": first},
		}); err != nil {
			return err
		}
	}
	return nil
}

// DeprecateSchema ends the use of an edition, the newest with the version "".
// Nothing that runs is touched. Deprecating twice changes nothing.
func (s *Store) DeprecateSchema(ctx context.Context, id, version, actor, reason string) (e profile.SchemaEdition, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockSchemas(ctx); err != nil {
			return err
		}
		if e, err = schemaEdition(ctx, tx.tx, id, version); err != nil || e.Status == profile.SchemaDeprecated {
			return err
		}
		was := e.Status
		e.Status, e.DeprecatedBy, e.DeprecatedAt, e.Deprecation = profile.SchemaDeprecated, actor, tx.now(), reason
		if _, err := tx.exec(ctx, `UPDATE config_schemas SET status = $3, deprecated_by = $4, deprecated_at = $5, deprecation_reason = $6,
			change_seq = `+nextChange+` WHERE schema_id = $1 AND version = $2`, id, e.Version, e.Status, actor, stamp(e.DeprecatedAt), reason); err != nil {
			return fmt.Errorf("deprecate schema %s %s: %w", id, e.Version, err)
		}
		return tx.Record(ctx, schemaFact(FactSchemaDeprecated, e, actor, map[string]any{"was": string(was), "reason": reason}))
	})
	return e, err
}

func schemaFact(kind string, e profile.SchemaEdition, actor string, details map[string]any) rollout.Fact {
	details["version"] = e.Version
	return rollout.Fact{Type: kind, EntityType: "schema", EntityID: e.ID, Actor: actor, Details: details}
}

// SchemaUsers reads the newest version, with its data, of profiles that name a
// schema, by name after the one given; retired ones left out.
func (s *Store) SchemaUsers(ctx context.Context, id, after string, limit int) ([]profile.Version, error) {
	versions, err := sound(ctx, s, s.read, scanVersionData, `SELECT `+versionColumns+`, config_data FROM config_versions WHERE seq IN (
		SELECT max(v.seq) FROM config_versions v JOIN config_profiles p ON p.name = v.config_name
		 WHERE p.schema_id = $1 AND p.name > $2 AND NOT p.retired GROUP BY v.config_name ORDER BY v.config_name LIMIT $3)
		ORDER BY config_name`, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the profiles under schema %s: %w", id, err)
	}
	return versions, nil
}

// ErrNotApproved is returned for a new deployment to Production of a version
// whose registered schema has no Approved edition: whoever planned it did not
// know. It matches ErrConflict and rollout.ErrStale.
var ErrNotApproved = fmt.Errorf("the version's schema is not approved (%w): %w", ErrConflict, rollout.ErrStale)
