package store_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
)

// registerMany is of n instances, i-0000 and so on.
func (w *world) registerMany(n int) (ids []string) {
	w.t.Helper()
	rows := make([]string, n)
	for i := range n {
		id := fmt.Sprintf("i-%04d", i)
		hash := w.either("X'%x'", "decode('%x', 'hex')")
		ids = append(ids, id)
		rows[i] = fmt.Sprintf("('%s', 'payment-service', '%s', 80, 'Production', "+hash+", CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)", id, id, sha256.Sum256([]byte(id)))
	}
	w.must(w.raw(`INSERT INTO service_instances (instance_id, service_name, hostname, port, environment, token_hash, registered_at, last_heartbeat) VALUES ` + strings.Join(rows, ", ")))
	return ids
}

// assignTo has a new deployment of a version give it to instances.
func (w *world) assignTo(number string, ids []string) rollout.Deployment {
	w.t.Helper()
	d := w.create(number)
	d.State = rollout.InProgress
	dec := rollout.Decision{Next: d, Changed: true}
	for _, id := range ids {
		dec.Assign = append(dec.Assign, rollout.Assign{InstanceID: id, Version: d.Version, Hash: d.Hash})
	}
	w.must(w.Step(w.t.Context(), w.claimOne("a"), dec))
	return d
}

// Of a large fleet some have an assignment, some have none yet, and some are gone.
func TestALargeFleetIsAssignedWhoeverIsThere(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n, had = 601, 400
		ids := w.registerMany(n)
		w.assignTo("1.0.0", append(ids[:had:had], ids[n-1]))
		w.must(w.raw(`UPDATE config_assignments SET apply_error = 'no room'`))
		w.advance(time.Second)
		d := w.assignTo("1.1.0", append(ids[:n-1:n-1], "i-gone"))
		all, err := w.AssignmentsOf(t.Context(), append(ids, "i-gone")...)
		w.must(err)
		if len(all) != n {
			t.Fatalf("%d have an assignment, want %d", len(all), n)
		}
		rest := all[n-1]
		if rest.InstanceID != ids[n-1] || rest.Version != "1.0.0" || rest.ApplyError == "" {
			t.Errorf("who was not named has %+v", rest)
		}
		for i, a := range all[:n-1] {
			want := fleet.Assignment{
				InstanceID: ids[i], Profile: payments, Version: d.Version, Hash: d.Hash, Generation: rest.Generation + 1, DeploymentID: d.ID, AssignedAt: a.AssignedAt,
			}
			want.ActiveGroup, want.TraceParent = a.ActiveGroup, a.TraceParent
			if a != want || !a.AssignedAt.After(rest.AssignedAt) {
				t.Fatalf("instance %d has\n%+v, want\n%+v", i, a, want)
			}
		}
	})
}
