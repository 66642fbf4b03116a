package store

import (
	"context"
	"database/sql"
	"fmt"
)

// BreakCommit replaces how transactions end.
func (s *Store) BreakCommit(commit func(tx *sql.Tx) error) { s.commit = commit }

// Limit bounds the database's pages, as a full disk would.
func (s *Store) Limit(ctx context.Context, pages int) error {
	_, err := s.write.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	return err
}

// MigrateDown takes back every migration of Sluice's own tables.
func (s *Store) MigrateDown(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, 0)
	return err
}
