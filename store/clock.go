package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// dbClock is the clock of the database as this process knows it: what it last
// said, and how long ago that was by the clock that nobody sets. Replicas whose
// own clocks differ agree on leases and deadlines so.
type dbClock struct {
	mu   sync.Mutex
	said time.Time
	at   time.Time // of this machine, with its monotonic reading
}

func (c *dbClock) set(said time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said, c.at = said, time.Now()
}

func (c *dbClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Add(time.Since(c.at))
}

// readClock asks the database for the time.
func (s *Store) readClock(ctx context.Context, q querier) error {
	var said time.Time
	if err := q.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(at(&said)); err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	s.db.set(said)
	return nil
}

// ownClock says that the times are not the database server's: the embedded
// engine has the machine's, and a simulation its own.
func (s *Store) ownClock() bool { return s.engine.serial || s.clock != nil }

// Now is the database's clock. The embedded engine has the machine's.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	if s.ownClock() {
		return s.now(), nil
	}
	if err := s.readClock(ctx, s.read); err != nil {
		return time.Time{}, err
	}
	return s.now(), nil
}

// Clock is the database's clock as this process last heard it and has counted
// on since. It asks nobody.
func (s *Store) Clock() time.Time { return s.now() }

func (s *Store) now() time.Time {
	var now time.Time
	switch {
	case s.clock != nil:
		now = s.clock()
	case s.engine.serial:
		now = time.Now()
	default:
		now = s.db.now()
	}
	return now.UTC().Truncate(time.Microsecond)
}

// Now is the database's clock.
func (tx *Tx) Now(context.Context) (time.Time, error) { return tx.now(), nil }

// now was read from the database when the transaction began.
func (tx *Tx) now() time.Time { return tx.s.now() }

// jobClock is the clock of the outbox's jobs. Replicas share the jobs, and when
// one is due is compared with the database's clock; by itself the queue writes
// it down by the machine's.
type jobClock struct{ s *Store }

// Now is the database's clock, and the machine's where that is the same.
func (c jobClock) Now() time.Time {
	if c.s.ownClock() {
		return time.Now()
	}
	return c.s.now()
}

// NowOrNil is what the queue writes; nil leaves it to the queue.
func (c jobClock) NowOrNil() *time.Time {
	if c.s.ownClock() {
		return nil
	}
	now := c.s.now()
	return &now
}
