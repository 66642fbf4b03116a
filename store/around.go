package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// around reads a deployment's targets with what stands around them, and then the
// database's clock.
func (s *Store) around(ctx context.Context, d rollout.Deployment) (snap rollout.Snapshot, err error) {
	snap.Traffic.Acked = true
	questions := []question{
		s.askingTargets(ctx, d, &snap.Targets),
		{text: trafficOf, args: []any{d.Profile}, row: func(row scanner) error { return scanTraffic(row, &snap.Traffic) }},
		{text: freezeNow, row: func(row scanner) error {
			f, err := scanFreeze(row)
			snap.Freeze = &f
			return err
		}},
	}
	if !s.ownClock() {
		questions = append(questions, s.askingClock())
	}
	if err := s.read.together(ctx, questions...); err != nil {
		return snap, fmt.Errorf("read the targets of deployment %s of %s: %w", d.ID, d.Profile, err)
	}
	return snap, nil
}

// askingClock is the question for the database's time.
func (s *Store) askingClock() question {
	return question{text: `SELECT clock_timestamp()`, row: func(row scanner) error {
		var said time.Time
		err := row.Scan(at(&said))
		if err == nil {
			s.db.set(said)
		}
		return err
	}}
}
