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
	_, err := s.write.usual.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	return err
}

// Link is the hash of an audit row over that of the row before it.
var Link = link
