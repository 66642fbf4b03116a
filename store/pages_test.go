package store_test

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/rollout"
)

// Whoever is assigned another version, and acknowledges it, stays on its page of
// PostgreSQL's: otherwise each index is written again for a whole fleet.
func TestAFleetIsAssignedWithinItsPages(t *testing.T) {
	t.Parallel()
	w := newPostgresWorld(t)
	w.must(w.raw(`INSERT INTO service_instances (instance_id, service_name, hostname, port, environment, token_hash, registered_at, last_heartbeat)
		SELECT 'i-' || i, 'payment-service', 'i-' || i, 80, 'Production', decode(md5(i::text), 'hex'), now(), now() FROM generate_series(1, 600) i`))
	d := w.create("1.1.0")
	assigns := []rollout.Assign{{InstanceID: "one that left", Version: d.Version, Hash: d.Hash}}
	for i := range 600 {
		assigns = append(assigns, rollout.Assign{InstanceID: fmt.Sprintf("i-%d", i+1), Version: d.Version, Hash: d.Hash})
	}
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	pages := func() string {
		var all string
		w.must(db.QueryRowContext(t.Context(), `SELECT string_agg((ctid::text::point)[0]::text, ' ' ORDER BY instance_id) FROM config_assignments`).Scan(&all))
		return all
	}
	give := func() {
		claim := w.claimOne("a")
		w.must(w.Step(t.Context(), claim, rollout.Decision{Next: w.read(d.ID), Changed: true, Wake: w.clock(), Assign: assigns}))
	}
	give()
	var given int
	w.must(db.QueryRowContext(t.Context(), `SELECT count(*) FROM config_assignments WHERE version = '1.1.0' AND deployment_id = $1`, d.ID).Scan(&given))
	if given != 600 {
		t.Fatalf("%d of 600 were given the version", given)
	}
	before := pages()
	give() // another time, what is dead by then has to be swept first, for which others may be in the way
	if pages() != before {
		t.Error("an assignment left its page")
	}
}
