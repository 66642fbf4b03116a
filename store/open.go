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
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite" // the embedded engine
)

// Options say which database to open.
type Options struct {
	// URL is a file path or sqlite:PATH.
	URL string
	// ReadOnly opens an existing database beside the process that has it: every
	// write returns ErrReadOnly.
	ReadOnly bool
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
	// commit ends a transaction; tests of an uncertain outcome replace it.
	commit func(*sql.Tx) error
	jobs   *river.Client[*sql.Tx] // inserts only

	claims  sync.Mutex // guards claimed
	claimed bool       // this process has claimed: what others held is handed back
}

// Open opens the database and takes it for this process. It does not migrate.
func Open(ctx context.Context, opts Options) (*Store, error) {
	path, err := filepath.Abs(strings.TrimPrefix(opts.URL, "sqlite:"))
	if err != nil || opts.URL == "" || strings.Contains(opts.URL, "://") {
		return nil, errors.New("database URL: want a file path or sqlite:PATH")
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the lock beside the file must be the same by whatever name it is opened
	}
	s := &Store{path: path, commit: (*sql.Tx).Commit, clock: opts.Now, fail: opts.Fail, log: opts.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.fail == nil {
		s.fail = func(string) {}
	}
	if opts.ReadOnly {
		err = s.connectReader(ctx)
	} else {
		err = s.connect(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), s.Close())
	}
	return s, nil
}

// connect makes the file, which only its owner may read: it holds the hashes of
// passwords.
func (s *Store) connect(ctx context.Context) (err error) {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o750); err != nil {
		return err
	}
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return err
	}
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(s.path, "immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.write.PingContext(ctx); err != nil {
		return err
	}
	if err := s.connectReader(ctx); err != nil {
		return err
	}
	s.jobs, err = river.NewClient(riversqlite.New(s.write), &river.Config{Logger: slog.New(slog.DiscardHandler), PollOnly: true})
	return err
}

func (s *Store) connectReader(ctx context.Context) (err error) {
	if s.read, err = sql.Open("sqlite", readerDSN(s.path)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	return s.read.PingContext(ctx)
}

// readerDSN is for connections that never write, nor make a file.
func readerDSN(path string) string {
	query := url.Values{"mode": {"rw"}, "_txlock": {"deferred"}, "_pragma": {
		"busy_timeout(5000)", "query_only(1)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

func dsn(path, lock string) string {
	query := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// Close gives the database back. Closing twice does no harm.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
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
