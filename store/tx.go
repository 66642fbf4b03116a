package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// Tx is one transaction. Its methods do nothing that lasts until it commits.
type Tx struct {
	tx session
	s  *Store
	// added are the versions and deployments that the profiles' counts do not know yet.
	added map[string]counted
	// runs say what versions profiles run from now on, and are asked together at the end.
	runs []question
	// written are the profiles that PutProfiles wrote.
	written map[string]bool
	// statuses are written once, before the commit, and what follows from them;
	// said finds each.
	statuses []saying
	said     map[statusKey]int
	// complete are commits that a first sync has all brought of: their aggregates follow.
	complete []commitOf
	// facts are written last: the audit log's head is everybody's, and is held
	// for as short a time as can be.
	facts []rollout.Fact
	// details are those of the facts, as JSON.
	details []string
	// ended are deployments that this transaction ends: their traces and counts are told
	// of it once it is committed.
	ended []rollout.Deployment
}

const (
	maxTries        = 5
	rollbackTimeout = 5 * time.Second
)

// InTx runs fn in one transaction and commits it when fn returns nil. When the
// database was busy, fn may run again.
//
// On PostgreSQL a transaction sees what others commit while it runs. Whatever
// reads before it writes locks first (lock.go), in one order: profiles by name,
// then their deployments, then instances and assignments, then the statuses of
// a commit, then the head of the audit log.
func (s *Store) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	if s.write.usual == nil {
		return ErrReadOnly
	}
	for try := 1; ; try++ {
		err := s.inTxOnce(ctx, fn)
		stale := try == 1 && errors.Is(err, errBegin) // a connection that broke while it was idle
		if err == nil || errors.Is(err, errCommit) || !s.engine.repeat(err) && !stale || try == maxTries {
			return ofCaller(ctx, err)
		}
		select {
		case <-ctx.Done():
			return ofCaller(ctx, err)
		case <-time.After(time.Duration(try)*20*time.Millisecond + rand.N(20*time.Millisecond)):
		}
	}
}

// ofCaller says that it was the caller who left, where all that was seen is the
// connection that broke by it.
func ofCaller(ctx context.Context, err error) error {
	if left := ctx.Err(); left != nil && errors.Is(err, ErrUnavailable) && !errors.Is(err, left) {
		return fmt.Errorf("%w: %w", left, err)
	}
	return err
}

func (s *Store) inTxOnce(ctx context.Context, fn func(tx *Tx) error) (err error) {
	conn, next, err := s.write.conn(ctx) // waits for its turn, as long as the caller does
	if err != nil {
		return fmt.Errorf("wait for the database: %w", s.engine.explain(err))
	}
	defer next()
	defer func() {
		if s.engine.full(err) {
			s.full.note()
		}
		if s.engine.astray(err) {
			conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // which makes the pool forget it
		}
		if closing := conn.Close(); err != nil && !errors.Is(closing, sql.ErrConnDone) { // what is committed is not undone by it
			err = errors.Join(err, closing)
		}
	}()
	// The transaction must end by our word, not by that of a caller who left:
	// database/sql rolls back behind our back when its context ends.
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tx, err := s.begin(ctx, conn, lasting, cancel)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", s.engine.explain(back)))
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	own := &Tx{tx: session{tx, s.engine, conn}, s: s, said: map[statusKey]int{}, added: map[string]counted{}, written: map[string]bool{}}
	if err := fn(own); err != nil {
		return err
	}
	last, err := own.finish(context.WithoutCancel(ctx)) // a caller who leaves now is too late
	if err != nil {
		return err
	}
	end := func() error { return own.tx.endBehind(lasting, last) }
	if err := s.commit(end, tx.Rollback); err != nil {
		if s.engine.denied(err) {
			return fmt.Errorf("commit: %w", s.engine.explain(err))
		}
		return fmt.Errorf("%w: %w", errCommit, s.engine.explain(err))
	}
	committed = true
	for _, d := range own.ended {
		rollout.TellEnd(d)
		s.ended(d)
	}
	return nil
}

// begin begins a transaction that lasts until its own context ends. Only until it
// has begun the caller may leave.
func (s *Store) begin(ctx context.Context, conn *sql.Conn, lasting context.Context, cancel func()) (*sql.Tx, error) {
	stop := context.AfterFunc(ctx, cancel)
	tx, err := conn.BeginTx(lasting, nil)
	if !stop() {
		if err == nil {
			err = tx.Rollback()
		}
		return nil, fmt.Errorf("begin transaction: %w", errors.Join(ctx.Err(), s.engine.explain(err)))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBegin, s.engine.explain(err))
	}
	return tx, nil
}

// finish writes what a transaction writes once, at its end. It gives the last of it, to be
// sent with the commit.
func (tx *Tx) finish(ctx context.Context) (last []question, err error) {
	if err := tx.writeCounts(ctx); err != nil {
		return nil, err
	}
	if err := tx.tookEffect(ctx); err != nil {
		return nil, err
	}
	before, err := tx.tellingPullRequests(ctx)
	if err != nil {
		return nil, err
	}
	news, looks := tx.news(ctx)
	if last, err = tx.writeStatuses(ctx, slices.Concat(before, tx.runs, looks)); err != nil {
		return nil, err
	}
	if last, err = tx.writeFacts(ctx, last); err != nil { // with which all is looked up: news are of facts
		return nil, err
	}
	telling, err := tx.telling(ctx, news)
	if err != nil {
		return nil, err
	}
	last = append(last, telling...)
	if tx.s.engine == postgresEngine {
		return last, nil
	}
	return nil, tx.tx.together(ctx, last...)
}

// errBegin marks an error before anything was done.
var errBegin = errors.New("begin transaction")

// errCommit marks an error whose outcome is not known: the row must be read
// again before anything is concluded.
var errCommit = errors.New("commit")

func (tx *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// collect reads every row of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, q.explain(rows.Err())
}

// count reads one number.
func count(ctx context.Context, q querier, query string, args ...any) (int, error) {
	var n int
	err := q.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}
