package api_test

import "testing"

// Whose token beats is remembered, and forgotten with the instance: it was
// removed by another replica, of which this one hears by nothing but the next
// heartbeat.
func TestAHeartbeatOfARemovedInstanceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.register("one"), w.register("other")
	beat := func(as, of instance) answer {
		return w.call(as.token, "POST", "/instances/"+of.id+"/heartbeat", map[string]any{"health": map[string]any{"status": "Healthy"}})
	}
	for range 3 {
		w.want(beat(one, one), 200)
	}
	w.want(beat(one, other), 404, "NOT_FOUND") // remembered for its own alone
	w.must(w.store.DeregisterInstance(t.Context(), one.id, "another replica"))
	for range 2 {
		got := beat(one, one)
		w.want(got, 401, "UNAUTHORIZED")
		if got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Error("the answer does not say how to do better")
		}
	}
	w.want(beat(other, other), 200)
}
