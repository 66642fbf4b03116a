package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// Logging is what every daemon logs for a while, other than it is configured.
type Logging struct {
	Level              string            // of everything; "" is as configured
	Components         map[string]string // that have another level, by name
	Actor              string
	BegunAt, ExpiresAt time.Time
}

// InForce says that its time is not over. The zero value is not in force.
func (l Logging) InForce(now time.Time) bool { return now.Before(l.ExpiresAt) }

// The types of facts about what is logged.
const (
	FactLoggingChanged = "logging.changed"
	FactLoggingReset   = "logging.reset"
)

// Logging reads what was last set, in force or over; the zero value when nothing
// was, or it was reset.
func (s *Store) Logging(ctx context.Context) (Logging, error) { return logging(ctx, s.read) }

func logging(ctx context.Context, q querier) (l Logging, err error) {
	err = q.QueryRowContext(ctx, `SELECT level, components, actor, begun_at, expires_at FROM log_levels`).
		Scan(&l.Level, asJSON(&l.Components), &l.Actor, at(&l.BegunAt), at(&l.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return Logging{}, nil
	}
	if err != nil {
		return Logging{}, fmt.Errorf("read the log levels: %w", err)
	}
	return l, nil
}

// SetLogging changes what is logged, by the actor that l names, for some time.
// What was set before ends by it.
func (s *Store) SetLogging(ctx context.Context, l Logging, last time.Duration) (Logging, error) {
	err := s.InTx(ctx, func(tx *Tx) error {
		l.BegunAt = tx.now()
		l.ExpiresAt = l.BegunAt.Add(last)
		if _, err := tx.exec(ctx, `INSERT INTO log_levels (one, level, components, actor, begun_at, expires_at) VALUES (1, $1, $2, $3, $4, $5)
			ON CONFLICT (one) DO UPDATE SET level = excluded.level, components = excluded.components, actor = excluded.actor,
				begun_at = excluded.begun_at, expires_at = excluded.expires_at`,
			l.Level, asJSON(l.Components), l.Actor, stamp(l.BegunAt), stamp(l.ExpiresAt)); err != nil {
			return fmt.Errorf("set the log levels: %w", err)
		}
		return tx.Record(ctx, loggingFact(FactLoggingChanged, l.Actor, map[string]any{
			"level": l.Level, "components": l.Components, "expiresAt": l.ExpiresAt.Format(time.RFC3339),
		}))
	})
	return l, err
}

// ResetLogging goes back to what is configured before the time is over;
// ErrNotFound when nothing else is in force.
func (s *Store) ResetLogging(ctx context.Context, actor string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		l, err := logging(ctx, tx.tx)
		if err != nil {
			return err
		}
		if !l.InForce(tx.now()) {
			return fmt.Errorf("log levels: %w", ErrNotFound)
		}
		if _, err := tx.exec(ctx, `DELETE FROM log_levels`); err != nil {
			return fmt.Errorf("reset the log levels: %w", err)
		}
		return tx.Record(ctx, loggingFact(FactLoggingReset, actor, map[string]any{"set": l.Actor}))
	})
}

func loggingFact(kind, actor string, details map[string]any) rollout.Fact {
	return rollout.Fact{Type: kind, EntityType: "logging", EntityID: "global", Actor: actor, Details: details}
}
