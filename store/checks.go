package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/rollout"
)

const checkColumns = `source_id, pull_request, head, base, passed, essence, checked_at, asks, asks > answered`

func scanCheck(row scanner) (c rollout.PullRequestCheck, err error) {
	return c, row.Scan(&c.Source, &c.PullRequest, &c.Head, &c.Base, &c.Passed, &c.Essence, at(&c.At), &c.Asks, &c.Asked)
}

// PullChecks lists what is remembered of the checks of the source's pull requests.
func (s *Store) PullChecks(ctx context.Context, source string) ([]rollout.PullRequestCheck, error) {
	checks, err := collect(ctx, s.read, scanCheck, `SELECT `+checkColumns+` FROM pull_request_checks WHERE source_id = $1 ORDER BY pull_request`, source)
	if err != nil {
		return nil, fmt.Errorf("read the pull request checks of source %s: %w", source, err)
	}
	return checks, nil
}

// PutCheck remembers the last check of a pull request. It answers the c.Asks that
// it knew of; what was asked for since stays asked for.
func (tx *Tx) PutCheck(ctx context.Context, c rollout.PullRequestCheck) error {
	if _, err := tx.exec(ctx, `INSERT INTO pull_request_checks (source_id, pull_request, head, base, passed, essence, checked_at, asks, answered)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
		ON CONFLICT (source_id, pull_request) DO UPDATE SET head = excluded.head, base = excluded.base, passed = excluded.passed,
		 essence = excluded.essence, checked_at = excluded.checked_at, answered = excluded.answered`,
		c.Source, c.PullRequest, c.Head, c.Base, c.Passed, c.Essence, stamp(c.At), c.Asks); err != nil {
		return fmt.Errorf("remember the check of pull request %d in source %s: %w", c.PullRequest, c.Source, err)
	}
	return nil
}

// ForgetCheck forgets a pull request that is not open any more.
func (tx *Tx) ForgetCheck(ctx context.Context, source string, number int) error {
	if _, err := tx.exec(ctx, `DELETE FROM pull_request_checks WHERE source_id = $1 AND pull_request = $2`, source, number); err != nil {
		return fmt.Errorf("forget the check of pull request %d in source %s: %w", number, source, err)
	}
	return nil
}

// AskCheck asks for another check of a pull request. One that was never checked
// is, without being asked for.
func (s *Store) AskCheck(ctx context.Context, source string, number int) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE pull_request_checks SET asks = asks + 1 WHERE source_id = $1 AND pull_request = $2`, source, number); err != nil {
			return fmt.Errorf("ask for the check of pull request %d in source %s: %w", number, source, err)
		}
		return nil
	})
}

// Fleet reads the instances that a deployment which is not made yet would go to,
// with their assignments and no samples, where the profile's requests go, and the
// freeze.
func (s *Store) Fleet(ctx context.Context, d rollout.Deployment) (snap rollout.Snapshot, err error) {
	if snap.Targets, err = s.targets(ctx, d); err != nil {
		return snap, err
	}
	if snap.Traffic, err = s.Traffic(ctx, d.Profile); err != nil {
		return snap, err
	}
	snap.Freeze, err = s.Freeze(ctx)
	return snap, err
}

// RecordPullsFailure keeps why the source's pull requests could not be looked
// at; the empty reason clears it.
func (s *Store) RecordPullsFailure(ctx context.Context, source, reason string) error {
	known, err := s.PullsFailure(ctx, source)
	if err == nil && known == reason {
		return nil // a quiet pass writes nothing
	}
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `INSERT INTO sources (id, pulls_error) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET pulls_error = excluded.pulls_error`, source, reason); err != nil {
			return fmt.Errorf("record the pull requests of source %s: %w", source, err)
		}
		return nil
	})
}

// PullsFailure is why the source's pull requests could not be looked at, "" when
// they could.
func (s *Store) PullsFailure(ctx context.Context, source string) (reason string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT pulls_error FROM sources WHERE id = $1`, source).Scan(&reason)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the pull requests' failure of source %s: %w", source, err)
	}
	return reason, nil
}
