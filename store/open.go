package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/sluicehq/sluice/rollout"
)

// Options say which database to open.
type Options struct {
	// URL is a file path or sqlite:PATH for the embedded engine, or that of a
	// PostgreSQL database: postgres://USER:PASSWORD@HOST/DATABASE.
	URL string
	// Connections is how many connections to PostgreSQL there are at the most,
	// beside the few that are reserved for rollouts; 16 when 0.
	Connections int
	// ReadOnly opens an existing database beside the process that has it: every
	// write returns ErrReadOnly.
	ReadOnly bool
	// Logger hears of corrupt rows; nil is silence.
	Logger *slog.Logger
	// Now replaces the database's clock in simulations.
	Now func() time.Time
	// Routing says who outside is notified of what.
	Routing Routing
	// Ended is told of each deployment that came to its end, by whatever ended it; it
	// may be nil.
	Ended func(d rollout.Deployment)
	// Fail is called at the crash points of tests: K4 inside the transaction,
	// after a version was inserted; K12 between the migrations of Sluice's own
	// tables and of the outbox's, and K12/commit inside one of Sluice's own.
	Fail func(point string)
}

// ErrLocked is returned by Open when another process has the database open.
var ErrLocked = errors.New("the database is in use by another process")

// Store is one open database. Its methods are safe for concurrent use.
type Store struct {
	engine      *engine
	write, read pools
	name        string   // for people: the file, or host and database
	lock        *os.File // of the embedded engine's file
	config      pgConfig // of a PostgreSQL database

	db    dbClock
	clock func() time.Time // in place of the database's
	fail  func(string)
	log   *slog.Logger
	// commit ends a transaction; tests of an uncertain outcome replace it.
	commit func(commit, rollback func() error) error
	jobs   *river.Client[jobsTx] // inserts only

	routing Routing

	full refusals // writes that met a full disk

	ahead   ahead
	watched watched
	fleets  sync.Map // by profile, how many targets were read last: the next time there is room for as many at once

	ended func(rollout.Deployment)

	claims  sync.Mutex // guards claimed
	claimed bool       // this process has claimed: what others held is handed back
}

// IsPostgres says whether a database URL is that of a PostgreSQL database.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Open opens the database; the embedded one it takes for this process. It does
// not migrate.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{commit: func(commit, _ func() error) error { return commit() }, clock: opts.Now, fail: opts.Fail, log: opts.Logger, routing: opts.Routing, ended: opts.Ended}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.fail == nil {
		s.fail = func(string) {}
	}
	if s.ended == nil {
		s.ended = func(rollout.Deployment) {}
	}
	open := s.openSQLite
	if IsPostgres(opts.URL) {
		open = s.openPostgres
	}
	err := open(ctx, opts)
	if err == nil && !opts.ReadOnly {
		s.jobs, err = river.NewClient(sessionJobs{s.engine.river(s.write.usual)}, &river.Config{
			Logger: slog.New(slog.DiscardHandler), PollOnly: true, Test: river.TestConfig{Time: jobClock{s}},
			Middleware: []rivertype.Middleware{&tracedJobs{}},
		})
	}
	if err != nil {
		if s.engine != nil && s.engine.full(err) && !errors.Is(err, ErrFull) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		if s.name != "" {
			err = fmt.Errorf("open database %s: %w", s.name, err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives the database back. Closing twice does no harm.
func (s *Store) Close() error {
	var errs []error
	for _, db := range append(s.read.all(), s.write.all()...) {
		errs = append(errs, db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// Pools are the pools of connections by what they are for, for metrics.
func (s *Store) Pools() map[string]*sql.DB {
	named := map[string]*sql.DB{}
	for kind, of := range map[string]pools{"read": s.read, "write": s.write} {
		for name, db := range map[string]*sql.DB{kind + "_reserved": of.steps, kind + "_orders": of.orders} {
			if db != of.usual {
				named[name] = db
			}
		}
		if of.usual != nil {
			named[kind] = of.usual
		}
	}
	return named
}

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.read.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}
