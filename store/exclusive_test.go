package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// A crowd that changes a deployment all the time keeps nobody from taking it
// back: the order that is carried out while they wait is never too late.
func TestAnExclusiveOrderIsNeverTooLate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		crowd, disperse := context.WithCancel(t.Context())
		var group sync.WaitGroup
		moved := make(chan struct{}, 1000)
		for range 4 {
			group.Go(func() {
				for crowd.Err() == nil {
					now, err := w.Deployment(t.Context(), d.ID)
					if err != nil || now.State.Final() {
						return
					}
					if w.Order(t.Context(), rollout.Decision{Next: now, Changed: true}) == nil {
						select {
						case moved <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		<-moved
		for range 10 {
			before, dec, err := w.OrderExclusive(t.Context(), d.ID, func(d rollout.Deployment, _ rollout.Snapshot, _ time.Time) (rollout.Decision, error) {
				return rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{{Type: "test.ordered"}}}, nil
			})
			if err != nil || before.ID != d.ID || dec.Next.Revision != before.Revision {
				t.Errorf("got %v of %+v", err, before)
			}
		}
		disperse()
		group.Wait()
		if n := w.rows(`config_audit_logs WHERE event_type = 'test.ordered'`); n != 10 {
			t.Errorf("%d orders are in the audit log, want 10", n)
		}
		refusal := errors.New("not in this state")
		revision := w.read(d.ID).Revision
		if _, _, err := w.OrderExclusive(t.Context(), d.ID, func(rollout.Deployment, rollout.Snapshot, time.Time) (rollout.Decision, error) {
			return rollout.Decision{}, refusal
		}); !errors.Is(err, refusal) || w.read(d.ID).Revision != revision {
			t.Errorf("a refused order gave %v", err)
		}
		if _, _, err := w.OrderExclusive(t.Context(), "unknown", nil); !errors.Is(err, rollout.ErrNotFound) {
			t.Errorf("an unknown deployment gave %v", err)
		}
	})
}
