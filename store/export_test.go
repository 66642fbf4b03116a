package store

import (
	"context"
	"database/sql"
	"fmt"
)

// BreakCommit replaces how transactions end.
func (s *Store) BreakCommit(commit func(commit, rollback func() error) error) { s.commit = commit }

// Limit bounds the database's pages, as a full disk would.
func (s *Store) Limit(ctx context.Context, pages int) error {
	_, err := s.write.usual.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	return err
}

// WithoutNUL leaves NULs out of JSON text.
var WithoutNUL = withoutNUL

// Link is the hash of an audit row over that of the row before it.
var Link = link

// Waiting is how many writers wait for the embedded database.
func (s *Store) Waiting() int { return int(s.write.lane.waiting.Load()) }

// TakeReaders takes every usual connection for reading until they are given back.
func (s *Store) TakeReaders(ctx context.Context) (giveBack func()) {
	var taken []*sql.Conn
	for range s.read.usual.Stats().MaxOpenConnections {
		conn, err := s.read.usual.Conn(ctx)
		if err != nil {
			panic(err)
		}
		taken = append(taken, conn)
	}
	return func() {
		for _, conn := range taken {
			conn.Close()
		}
	}
}

// NotificationsPending says how many notifications wait to be sent.
func (s *Store) NotificationsPending(ctx context.Context) (int, error) {
	k, err := s.Stock(ctx)
	return k.Notifications, err
}

// OfManyRows are the statements that look up one row of many, or some of a list.
func OfManyRows() map[string]string {
	return map[string]string{
		"statuses":          statusesBefore.postgres,
		"unapproved":        unapproved.postgres,
		"pending":           `SELECT count(*) FROM commit_statuses` + saidStatuses.where + ` AND ` + pendingStatus,
		"active deployment": `SELECT config_name FROM config_deployments WHERE finished_at IS NULL AND config_name = $1`,
	}
}

// MostLetBy is how long one piece of work lets orders by.
const MostLetBy = mostLetBy
