package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Tx is one transaction. Its methods do nothing that lasts until it commits.
type Tx struct {
	tx *sql.Tx
	s  *Store
	// touched are the commits whose aggregate status is written once, before the commit.
	touched map[commitOf]struct{}
}

const (
	maxTries        = 5
	rollbackTimeout = 5 * time.Second
)

// InTx runs fn in one transaction and commits it when fn returns nil. When the
// database was busy, fn may run again.
func (s *Store) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	if s.write == nil {
		return ErrReadOnly
	}
	for try := 1; ; try++ {
		err := s.inTxOnce(ctx, fn)
		if !busy(err) || try == maxTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * 20 * time.Millisecond):
		}
	}
}

func (s *Store) inTxOnce(ctx context.Context, fn func(tx *Tx) error) (err error) {
	conn, err := s.write.Conn(ctx) // waits for its turn, as long as the caller does
	if err != nil {
		return fmt.Errorf("wait for the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// The transaction must end by our word, not by that of a caller who left:
	// database/sql rolls back behind our back when its context ends.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", back))
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	own := &Tx{tx: tx, s: s, touched: map[commitOf]struct{}{}}
	if err := fn(own); err != nil {
		return err
	}
	if err := own.aggregateStatuses(ctx); err != nil {
		return err
	}
	if err := s.commit(tx); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	committed = true
	return nil
}

// errCommit marks an error whose outcome is not known: the row must be read
// again before anything is concluded.
var errCommit = errors.New("commit")

func busy(err error) bool {
	if err == nil || errors.Is(err, errCommit) {
		return false
	}
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// Now is the database's clock.
func (tx *Tx) Now(context.Context) (time.Time, error) { return tx.s.now(), nil }

func (tx *Tx) now() time.Time { return tx.s.now() }

func (tx *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, mapError(err)
	}
	return res.RowsAffected()
}

// querier is a database or a transaction, to read from.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is a row to scan.
type scanner interface{ Scan(dest ...any) error }

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
	return out, rows.Err()
}

// count reads one number.
func count(ctx context.Context, q querier, query string, args ...any) (int, error) {
	var n int
	err := q.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}
