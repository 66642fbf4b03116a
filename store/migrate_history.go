package store

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// history is where goose writes down what was migrated, with the crash point of
// tests: that is the last statement of a migration's transaction.
type history struct {
	database.StoreExtender
	fail func(point string)
}

func (s *Store) history() (history, error) {
	table, err := database.NewStore(s.engine.dialect, goose.DefaultTablename)
	if err != nil {
		return history{}, err
	}
	whole, ok := table.(database.StoreExtender)
	if !ok {
		return history{}, fmt.Errorf("table %s cannot be looked for", goose.DefaultTablename)
	}
	return history{whole, s.fail}, nil
}

// Insert writes down one migration, before its transaction commits.
func (h history) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	if req.Version > 0 { // 0 is the table itself
		h.fail("K12/commit")
	}
	return h.StoreExtender.Insert(ctx, db, req)
}
