package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sluicehq/sluice/migrations"
)

// ErrNewer is returned for a database that a newer release has migrated further
// than this one knows: it must not write to what it does not understand.
var ErrNewer = errors.New("the database is of a newer release")

// Migrate brings the schema up to date: Sluice's own tables and the outbox's. It
// returns ErrNewer for a schema that is ahead of this release.
func (s *Store) Migrate(ctx context.Context) error {
	if s.write == nil {
		return ErrReadOnly
	}
	provider, err := s.provider()
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version of database %s: %w", s.path, err)
	}
	if current > known {
		return fmt.Errorf("migrate database %s: its schema is at %d, this release knows %d: %w", s.path, current, known, ErrNewer)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate database %s: %w", s.path, err)
	}
	outbox, err := rivermigrate.New[*sql.Tx](riversqlite.New(s.write), nil)
	if err != nil {
		return fmt.Errorf("prepare the outbox's migrations: %w", err)
	}
	if _, err := outbox.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the outbox of database %s: %w", s.path, err)
	}
	return nil
}

// Migration is one numbered change of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// MigrationStatus lists the migrations, oldest first.
func (s *Store) MigrationStatus(ctx context.Context) ([]Migration, error) {
	if s.write == nil {
		return nil, ErrReadOnly // goose makes its table when it looks
	}
	provider, err := s.provider()
	if err != nil {
		return nil, err
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migrations of database %s: %w", s.path, err)
	}
	out := make([]Migration, len(status))
	for i, m := range status {
		out[i] = Migration{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied}
	}
	return out, nil
}

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		return nil, fmt.Errorf("open the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.write, files)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}
