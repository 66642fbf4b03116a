package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

// Contents is what a copy of the database holds, as it was found by checking it.
type Contents struct {
	Bytes  int64
	Schema int64          // version of its schema
	Rows   map[string]int // of the tables in ContentTables
	Audit  int            // events of the audit log that hold
	Broken *BrokenLink    // the first of it that does not; nil when all do
}

// ContentTables are the tables that Contents counts, in the order to show them.
var ContentTables = []string{"config_profiles", "config_versions", "config_deployments", "service_instances", "config_audit_logs"}

// Backup writes a consistent copy of the embedded database, as of one moment, to
// a new file that only its owner may read. Whoever has the database goes on
// reading and writing meanwhile. The file appears under its name when it is
// whole, on disk and sound; one that is there already is never replaced. An
// audit log that does not hold is no reason to have no copy: Contents says so.
func (s *Store) Backup(ctx context.Context, to string) (c Contents, err error) {
	if s.engine != sqliteEngine {
		return c, errors.New("only the embedded database is copied so: use pg_dump")
	}
	partial := to + ".partial"
	if err := absent(to); err != nil {
		return c, err
	}
	// Only who made it may remove it: another backup may be writing it.
	if err := touch(partial); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: remove it, unless another backup is writing it", err)
		}
		return c, fmt.Errorf("begin the copy: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(partial))
		}
	}()
	if err := s.copyInto(ctx, partial); err != nil {
		return c, fmt.Errorf("copy database %s to %s: %w", s.name, partial, err)
	}
	if c, err = check(ctx, partial); err != nil {
		return c, fmt.Errorf("the copy of database %s is no good: %w", s.name, err)
	}
	if err := errors.Join(absent(to), os.Rename(partial, to)); err != nil {
		return c, err
	}
	return c, syncPath(filepath.Dir(to))
}

// copyInto has the engine write the copy, from one reading of the database.
func (s *Store) copyInto(ctx context.Context, to string) (err error) {
	// The readers' connections refuse to write, to whatever file.
	db, err := sql.Open("sqlite", sqliteDSN(s.name, "deferred"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, to); err != nil {
		return err
	}
	return syncPath(to)
}

// check reads a whole copy. It returns an error for a file that is not sound or
// has a schema that this release does not know.
func check(ctx context.Context, path string) (c Contents, err error) {
	s, err := Open(ctx, Options{URL: path, ReadOnly: true})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var sound string
	if err := s.read.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&sound); err != nil {
		return c, fmt.Errorf("it is not a sound database: %w", err)
	}
	if sound != "ok" {
		return c, fmt.Errorf("it is damaged: %s", sound)
	}
	if c.Schema, err = s.knownSchema(ctx); err != nil {
		return c, err
	}
	if c.Audit, c.Broken, err = s.VerifyAudit(ctx); err != nil {
		return c, err
	}
	c.Rows = map[string]int{}
	for _, table := range ContentTables {
		if c.Rows[table], err = count(ctx, s.read, `SELECT count(*) FROM `+table); err != nil {
			return c, fmt.Errorf("count %s: %w", table, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.Bytes = info.Size()
	return c, nil
}

// knownSchema reads the version of the schema, without making anything; ErrNewer
// for one that this release does not know.
func (s *Store) knownSchema(ctx context.Context) (version int64, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied = 1`).Scan(&version); err != nil {
		return 0, fmt.Errorf("it is no database of Sluice's: %w", err)
	}
	known, err := s.newestMigration()
	if err != nil {
		return 0, err
	}
	if version == 0 {
		return 0, errors.New("it is no database of Sluice's: no migration was applied to it")
	}
	if version > known {
		return version, fmt.Errorf("its schema is at %d, this release knows %d: %w", version, known, ErrNewer)
	}
	return version, nil
}

// newestMigration is the schema version that this release knows.
func (s *Store) newestMigration() (int64, error) {
	files, err := s.engine.migrations()
	if err != nil {
		return 0, fmt.Errorf("open the migrations: %w", err)
	}
	provider, err := goose.NewProvider(s.engine.dialect, s.read.usual, files)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	sources := provider.ListSources()
	return sources[len(sources)-1].Version, nil
}

// absent refuses a path where something is.
func absent(path string) error {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s: %w", path, ErrExists)
	}
	return err
}

// touch makes an empty file that only its owner may read.
func touch(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// remove removes files, whether they are there or not.
func remove(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// syncPath brings a file's content, or a folder's names, to disk.
func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
