package store

import (
	"context"
	"errors"
)

// settled reads what an uncertain commit of a profile's deployment left. When
// its connection dies the server may still be at it, and shows nothing of it to
// others: it holds the profile's lock so long, and this waits for that.
func (s *Store) settled(ctx context.Context, profileName string, read func(ctx context.Context, q querier) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if s.engine.serial { // its commits end in this process
		return read(ctx, s.read)
	}
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockProfile(ctx, profileName); err != nil {
			return err
		}
		return read(ctx, tx.tx)
	})
	if errors.Is(err, errCommit) {
		return nil // it was read, and nothing was written that could be lost
	}
	return err
}
