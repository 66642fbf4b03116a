package store

import (
	"context"
	"fmt"
)

// agedCommit holds for a commit, of the statuses c, about which nothing is new:
// none of its statuses changed since $1 or waits to be posted, no deployment of
// it is under way, and its source has gone on from it.
const agedCommit = `NOT EXISTS (SELECT 1 FROM commit_statuses o WHERE o.source_id = c.source_id AND o.commit_sha = c.commit_sha
		AND (o.updated_at > $1 OR ` + pendingStatus + `))
	AND NOT EXISTS (SELECT 1 FROM config_deployments d WHERE d.commit_sha = c.commit_sha AND d.finished_at IS NULL)
	AND NOT EXISTS (SELECT 1 FROM sources s WHERE s.id = c.source_id AND s.head = c.commit_sha)`

// retainStatuses removes the statuses of old commits, those of one commit
// together: an aggregate over a part of them would be wrong.
func (s *Store) retainStatuses(ctx context.Context, old stamp, removed Retained) error {
	for {
		commits, err := collect(ctx, s.read, func(row scanner) (of commitOf, err error) { return of, row.Scan(&of.source, &of.commit) },
			`SELECT DISTINCT source_id, commit_sha FROM commit_statuses c WHERE c.updated_at <= $1 AND `+agedCommit+` LIMIT 100`, old)
		if err != nil {
			return fmt.Errorf("look for the statuses of old commits: %w", err)
		}
		gone := 0
		for _, of := range commits {
			n, err := s.dropStatuses(ctx, of, old)
			gone += n
			removed.add("commit_statuses", n)
			if err != nil {
				return fmt.Errorf("remove the statuses of commit %s: %w", of.commit, err)
			}
		}
		if gone == 0 {
			return nil
		}
	}
}

// dropStatuses removes those of one commit in batches, the aggregate last: its
// context sorts before those of the profiles. What a row says of itself is asked
// twice: another replica may be changing it.
func (s *Store) dropStatuses(ctx context.Context, of commitOf, old stamp) (total int, err error) {
	for {
		var n int64
		if err := s.InTx(ctx, func(tx *Tx) (err error) {
			if err := tx.tx.together(ctx, tx.lockingCommits([]commitOf{of})...); err != nil {
				return err
			}
			n, err = tx.exec(ctx, `DELETE FROM commit_statuses WHERE source_id = $2 AND commit_sha = $3 AND context IN (
				SELECT c.context FROM commit_statuses c WHERE c.source_id = $2 AND c.commit_sha = $3 AND `+agedCommit+`
				ORDER BY c.context DESC LIMIT $4)
				AND updated_at <= $1 AND NOT (`+pendingStatus+`)`, old, of.source, of.commit, batchRows)
			if err != nil || n == 0 {
				return err
			}
			// Whoever sets one of this commit's statuses again counts what is left of them.
			_, err = tx.exec(ctx, `UPDATE commit_statuses SET tally = '' WHERE source_id = $1 AND commit_sha = $2 AND tally <> ''`, of.source, of.commit)
			return err
		}); err != nil {
			return total, err
		}
		total += int(n)
		if n < batchRows {
			return total, nil
		}
	}
}
