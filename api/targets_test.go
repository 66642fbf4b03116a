package api_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// An instance that watches hears of a profile whose target it becomes.
func TestWhoBecomesATargetHearsOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.profile()
	one := w.register("one")
	w.version("1.0.0", data("1"))
	w.complete("1.0.0", one)
	r.Targets = profile.Targets{Labels: map[string]string{"region": "eu"}}
	w.must(w.store.PutProfile(t.Context(), r))
	other := w.register("other")
	stream := w.events(other.token, "/instances/"+other.id+"/watch", "assignments")
	var set wire.Assignments
	w.must(json.Unmarshal([]byte(w.next(stream)), &set))
	if len(set.Assignments) != 0 {
		t.Fatalf("it is no target, and has %+v", set)
	}
	r.Targets = profile.Targets{}
	w.must(w.store.PutProfile(t.Context(), r))
	_, err := w.store.GiveStable(t.Context())
	w.must(err)
	w.must(json.Unmarshal([]byte(w.next(stream)), &set))
	if len(set.Assignments) != 1 || set.Assignments[0].Version != "1.0.0" {
		t.Errorf("it hears of %+v", set)
	}
}
