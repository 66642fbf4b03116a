package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"
)

var (
	// ErrNewer is returned for a database that a newer release has migrated further
	// than this one knows: it must not write to what it does not understand.
	ErrNewer = errors.New("the database is of a newer release")
	// ErrOlder is returned for a database that lacks migrations.
	ErrOlder = errors.New("the database schema is not up to date: run `sluice migrate up`")
)

// migrationLock is the advisory lock under which a PostgreSQL database is migrated.
const migrationLock = 0x736c75696365 // "sluice"

// Migrate brings the schema up to date: Sluice's own tables and the outbox's. It
// returns ErrNewer for a schema that is ahead of this release.
func (s *Store) Migrate(ctx context.Context) error {
	return s.migrating(ctx, func(m migrator) error {
		current, known, err := m.own.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the schema version of database %s: %w", s.name, s.engine.explain(err))
		}
		if current > known {
			return fmt.Errorf("migrate database %s: its schema is at %d, this release knows %d: %w", s.name, current, known, ErrNewer)
		}
		if _, err := m.own.Up(ctx); err != nil {
			return fmt.Errorf("migrate database %s: %w", s.name, s.engine.explain(err))
		}
		s.fail("K12")
		if _, err := m.outbox.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("migrate the outbox of database %s: %w", s.name, s.engine.explain(err))
		}
		if err := m.trimOutbox(ctx); err != nil {
			return fmt.Errorf("migrate the outbox of database %s: %w", s.name, s.engine.explain(err))
		}
		return nil
	})
}

// MigrateDown takes the newest migration back, and the outbox's tables with the
// first one. What was in the tables that it drops is lost.
func (s *Store) MigrateDown(ctx context.Context) (Migration, error) {
	var undone Migration
	err := s.migrating(ctx, func(m migrator) error {
		result, err := m.own.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return fmt.Errorf("database %s has no migration to take back: %w", s.name, ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("take back a migration of database %s: %w", s.name, s.engine.explain(err))
		}
		undone = Migration{Version: result.Source.Version, Name: result.Source.Path}
		if undone.Version > 1 {
			return nil
		}
		if _, err := m.outbox.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1}); err != nil {
			return fmt.Errorf("drop the outbox of database %s: %w", s.name, s.engine.explain(err))
		}
		return nil
	})
	return undone, err
}

// CheckSchema returns ErrOlder or ErrNewer unless the schema is that of this release.
func (s *Store) CheckSchema(ctx context.Context) error {
	return s.migrating(ctx, func(m migrator) error {
		current, known, err := m.own.GetVersions(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema version of database %s: %w", s.name, s.engine.explain(err))
		case current > known:
			return fmt.Errorf("database %s: its schema is at %d, this release knows %d: %w", s.name, current, known, ErrNewer)
		case current < known:
			return fmt.Errorf("database %s: its schema is at %d of %d: %w", s.name, current, known, ErrOlder)
		}
		outbox, err := m.outbox.Validate(ctx, nil)
		if err != nil {
			return fmt.Errorf("read the schema version of the outbox of database %s: %w", s.name, s.engine.explain(err))
		}
		if !outbox.OK { // a migration that was interrupted between the two
			return fmt.Errorf("database %s: the tables of its outbox are missing: %w", s.name, ErrOlder)
		}
		return nil
	})
}

// Migration is one numbered change of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// MigrationStatus lists the migrations, oldest first.
func (s *Store) MigrationStatus(ctx context.Context) (list []Migration, err error) {
	err = s.migrating(ctx, func(m migrator) error {
		status, err := m.own.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the migrations of database %s: %w", s.name, s.engine.explain(err))
		}
		for _, m := range status {
			list = append(list, Migration{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied})
		}
		return nil
	})
	return list, err
}

// migrator changes the schema: Sluice's own, and the outbox's.
type migrator struct {
	own    *goose.Provider
	outbox *rivermigrate.Migrator[*sql.Tx]
	db     *sql.DB
	engine *engine
}

// trimOutboxSQL drops the indexes by what a job's arguments hold. Nobody looks jobs
// up by that, and each job would be put into both whenever its state changes.
const trimOutboxSQL = `DROP INDEX IF EXISTS river_job_args_index, river_job_metadata_index`

// trimOutbox does so. The embedded database has no such indexes.
func (m migrator) trimOutbox(ctx context.Context) error {
	if m.engine != postgresEngine {
		return nil
	}
	_, err := m.db.ExecContext(ctx, trimOutboxSQL)
	return err
}

// migrating gives fn a migrator while nobody else has one.
func (s *Store) migrating(ctx context.Context, fn func(migrator) error) (err error) {
	if s.write.usual == nil {
		return ErrReadOnly // goose makes its table when it looks
	}
	db := s.write.usual
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("migrate database %s: %w", s.name, s.engine.explain(err))
	}
	if !s.engine.serial {
		db = s.config.openPatient()
		defer func() { err = errors.Join(err, db.Close()) }()
		unlock, err := lockMigrations(ctx, db)
		if err != nil {
			return fmt.Errorf("lock database %s to migrate it: %w", s.name, s.engine.explain(err))
		}
		defer unlock()
	}
	files, err := s.engine.migrations()
	if err != nil {
		return fmt.Errorf("open the migrations: %w", err)
	}
	past, err := s.history()
	if err != nil {
		return fmt.Errorf("open the history of migrations: %w", err)
	}
	own, err := goose.NewProvider(goose.DialectCustom, db, files, goose.WithStore(past))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	outbox, err := rivermigrate.New(s.engine.river(db), nil)
	if err != nil {
		return fmt.Errorf("prepare the outbox's migrations: %w", err)
	}
	return fn(migrator{own, outbox, db, s.engine})
}

// lockMigrations waits for its turn. The lock is the connection's: a process that
// dies gives it back.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() {
		// Closing the pool ends the connection, and the lock with it.
		conn.Close() //nolint:errcheck // it is given back either way
	}, nil
}
