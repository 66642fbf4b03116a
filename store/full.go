package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// refusals remember that the database takes no writes: its disk is full, broken,
// or only read from. Some small writes go through all the same, so that one of
// them proves nothing.
type refusals struct {
	mu   sync.Mutex
	n    uint64
	last time.Time
}

// refusedFor is how long one refused write is told of: instances beat more often.
const refusedFor = 30 * time.Second

func (r *refusals) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.last = r.n+1, time.Now()
}

// Refused says how many writes met a database that answers and takes none since
// this process started, and whether that was just now.
func (s *Store) Refused() (writes uint64, lately bool) {
	s.full.mu.Lock()
	defer s.full.mu.Unlock()
	return s.full.n, s.full.n > 0 && time.Since(s.full.last) < refusedFor
}

// uncount takes back that a claim counts as an attempt: no deployment is set
// aside for a disk that is full. Where not even that can be written, the next
// claim cannot be either.
func (s *Store) uncount(ctx context.Context, claim rollout.Claim) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE config_deployments SET attempts = attempts - 1
			WHERE deployment_id = $1 AND epoch = $2 AND owner = $3 AND attempts > 0`, claim.DeploymentID, claim.Epoch, claim.Owner); err != nil {
			return fmt.Errorf("uncount an attempt at deployment %s: %w", claim.DeploymentID, err)
		}
		return nil
	})
}
