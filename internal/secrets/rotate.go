package secrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/store"
)

// rotateBatch bounds the values that one transaction seals anew.
const rotateBatch = 100

// Shelf is where rotation finds sealed values.
type Shelf interface {
	SealedUnder(ctx context.Context) (map[string]int, error)
	SealedNotUnder(ctx context.Context, keyID, after string, limit int) ([]store.SealedValue, error)
	Reseal(ctx context.Context, actor string, before, after []store.SealedValue) (int, error)
}

// ErrNoKey is returned when there is no key to seal with.
var ErrNoKey = errors.New("master_key is empty: there is no key to seal with")

// Rotation is what a rotation did.
type Rotation struct {
	Resealed int
	Stuck    []string // why values could not be opened, by id; they stay as they are
}

// Rotate seals every value anew that another key than the first of keys sealed,
// in batches, each one transaction with its audit event. It may be ended at any
// point and run again, and beside others and the daemon: no version changes. done,
// which may be nil, is told after each batch how many there were so far.
func Rotate(ctx context.Context, shelf Shelf, keys Keys, actor string, done func(resealed int)) (r Rotation, err error) {
	if keys.Sealing() == "" {
		return r, ErrNoKey
	}
	first := keys.list[0]
	after := ""
	for {
		batch, err := shelf.SealedNotUnder(ctx, first.id, after, rotateBatch)
		if err != nil || len(batch) == 0 {
			return r, err
		}
		after = batch[len(batch)-1].ID
		var old, fresh []store.SealedValue
		for _, v := range batch {
			raw, err := keys.openRaw(v)
			if err != nil {
				r.Stuck = append(r.Stuck, fmt.Sprintf("%s of %s: %s", v.ID, v.Profile, err))
				continue
			}
			old, fresh = append(old, v), append(fresh, first.seal(v.Profile, v.ID, raw))
		}
		if len(fresh) == 0 {
			continue
		}
		n, err := shelf.Reseal(ctx, actor, old, fresh)
		r.Resealed += n
		if err != nil {
			return r, err
		}
		if done != nil {
			done(r.Resealed)
		}
	}
}
