package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluicehq/sluice/migrations"
)

// sqliteEngine is the embedded database: one file, one process, one writer.
var sqliteEngine = &engine{
	serial:     true,
	value:      sqliteValue,
	explain:    explainSQLite,
	repeat:     sqliteBusy,
	denied:     func(error) bool { return false },
	astray:     func(error) bool { return false },
	full:       sqliteFull,
	dialect:    goose.DialectSQLite3,
	migrations: func() (fs.FS, error) { return fs.Sub(migrations.SQLite, "sqlite") },
	river:      func(db *sql.DB) riverdriver.Driver[*sql.Tx] { return riversqlite.New(db) },
}

// openSQLite opens the file, and takes it for this process unless it is only read.
func (s *Store) openSQLite(ctx context.Context, opts Options) error {
	path, err := databasePath(opts.URL)
	if err != nil {
		return err
	}
	s.engine, s.name = sqliteEngine, path
	if opts.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return errors.New("there is no such file")
		}
		return s.connectSQLiteReader(ctx, path)
	}
	return s.connectSQLite(ctx, path)
}

// databasePath is the file that a database URL names.
func databasePath(databaseURL string) (string, error) {
	path, err := filepath.Abs(strings.TrimPrefix(databaseURL, "sqlite:"))
	if err != nil || databaseURL == "" || strings.Contains(databaseURL, "://") {
		return "", errors.New("database URL: want a file path, sqlite:PATH or postgres://USER@HOST/DATABASE")
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the lock beside the file must be the same by whatever name it is opened
	}
	return path, nil
}

// connectSQLite makes the file, which only its owner may read: it holds the
// hashes of passwords.
func (s *Store) connectSQLite(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", sqliteDSN(path, "immediate"))
	if err != nil {
		return err
	}
	s.write = pools{usual: db, steps: db, orders: db, engine: sqliteEngine, lane: newLane(), ahead: &s.ahead}
	db.SetMaxOpenConns(1) // the engine has one writer at a time anyway
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	return s.connectSQLiteReader(ctx, path)
}

// Readers of the embedded database at once: for everybody, and for rollouts and
// for orders each.
const (
	sqliteReaders         = 8
	sqliteReadersReserved = 2
)

func (s *Store) connectSQLiteReader(ctx context.Context, path string) error {
	open := func(most int) (*sql.DB, error) {
		db, err := sql.Open("sqlite", sqliteReaderDSN(path))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		return db, db.PingContext(ctx)
	}
	s.read = pools{engine: sqliteEngine, ahead: &s.ahead}
	for _, pool := range []struct {
		db   **sql.DB
		most int
	}{{&s.read.usual, sqliteReaders}, {&s.read.steps, sqliteReadersReserved}, {&s.read.orders, sqliteReadersReserved}} {
		db, err := open(pool.most)
		*pool.db = db // to be closed in any case
		if err != nil {
			return err
		}
	}
	return nil
}

// sqliteReaderDSN is for connections that never write, nor make a file.
func sqliteReaderDSN(path string) string {
	query := url.Values{"mode": {"rw"}, "_txlock": {"deferred"}, "_pragma": {
		"busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

func sqliteDSN(path, lock string) string {
	query := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// sqliteValue keeps times as microseconds since 1970 UTC.
func sqliteValue(arg any) (driver.Value, bool) {
	t, ok := arg.(stamp)
	if !ok {
		return nil, false
	}
	if t.zero() {
		return nil, true
	}
	return t.time().UnixMicro(), true
}

func explainSQLite(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrExists, err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func sqliteBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// sqliteFull holds when the disk is full, broken or only read from.
func sqliteFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY:
		return true
	}
	return false
}
