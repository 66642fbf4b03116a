package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite" // the embedded engine
)

// Options say which database to open.
type Options struct {
	// URL is a file path or sqlite:PATH.
	URL string
	// Logger hears of corrupt rows; nil is silence.
	Logger *slog.Logger
	// Now replaces the database's clock in simulations.
	Now func() time.Time
	// Fail is called at the crash points of tests, inside the transaction: K4
	// after a version was inserted.
	Fail func(point string)
}

// ErrLocked is returned by Open when another process has the database open.
var ErrLocked = errors.New("the database is in use by another process")

// Store is one open database. Its methods are safe for concurrent use.
type Store struct {
	write *sql.DB // one connection: the engine has one writer at a time anyway
	read  *sql.DB
	path  string
	lock  *os.File
	clock func() time.Time
	fail  func(string)
	log   *slog.Logger
	jobs  *river.Client[*sql.Tx] // inserts only
}

// Open opens the database and takes it for this process. It does not migrate.
func Open(ctx context.Context, opts Options) (*Store, error) {
	path, err := filepath.Abs(strings.TrimPrefix(opts.URL, "sqlite:"))
	if err != nil || opts.URL == "" || strings.Contains(opts.URL, "://") {
		return nil, errors.New("database URL: want a file path or sqlite:PATH")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of database %s: %w", path, err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{path: path, lock: lock, clock: opts.Now, fail: opts.Fail, log: opts.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.fail == nil {
		s.fail = func(string) {}
	}
	if err := s.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context) (err error) {
	if s.write, err = sql.Open("sqlite", dsn(s.path, "immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.write.PingContext(ctx); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(s.path, "deferred")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	s.jobs, err = river.NewClient(riversqlite.New(s.write), &river.Config{Logger: slog.New(slog.DiscardHandler), PollOnly: true})
	return err
}

func dsn(path, lock string) string {
	query := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// Close gives the database back.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}

// Now is the database's clock. The embedded engine has the machine's.
func (s *Store) Now(context.Context) (time.Time, error) { return s.now(), nil }

func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
