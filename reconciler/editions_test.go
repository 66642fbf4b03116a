package reconciler_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/rollout"
)

const tighterText = "schema pay breaks the Backward compatibility that it declared: $.properties.retries.maximum: maximum is 4 in this version, 5 in the version before"

// retrying is a profile under the schema pay.
func retrying(retries string) string {
	return doc("pay.staging", "retries: "+retries, "schema: pay")
}

func withMaximum(n string) string { return strings.Replace(paySchema, "maximum: 5", "maximum: "+n, 1) }

// TestASchemaThatBreaksItsWordWaits: data that comes under an edition of its
// schema that breaks what the edition before declared waits for a person.
func TestASchemaThatBreaksItsWordWaits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		push      func(w *world)
		number    string
		guard     string
		approvals int
	}{
		"with the data": {func(w *world) {
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4"), "profiles/a.yaml": retrying("4")})
		}, "1.0.1", tighterText, 1},
		"in the push of the data": {func(w *world) {
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4")})
			w.commit("data", files{"profiles/a.yaml": retrying("4")})
		}, "1.0.1", tighterText, 0},
		"long before the data": {func(w *world) {
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4")})
			w.sync()
			w.commit("data", files{"profiles/a.yaml": retrying("4")})
		}, "1.0.1", tighterText, 0},
		"and was mended before the data came": {func(w *world) {
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4")})
			w.sync()
			w.commit("mended", files{"schemas/pay.yaml": paySchema})
			w.commit("data", files{"profiles/a.yaml": retrying("4")})
		}, "1.0.1", "", 0},
		"it keeps its word": {func(w *world) {
			w.commit("wider", files{"schemas/pay.yaml": withMaximum("9"), "profiles/a.yaml": retrying("8")})
		}, "1.0.1", "", 0},
		"in the same breath as it declares nothing any more": {func(w *world) {
			w.commit("tighter", files{
				"schemas/pay.yaml": strings.Replace(withMaximum("4"), "Backward", "None", 1), "profiles/a.yaml": retrying("4"),
			})
		}, "1.0.1", tighterText, 1},
		"another schema is no edition of it": {func(w *world) {
			w.commit("other", files{"schemas/strict.yaml": "properties: {retries: {maximum: 4}}\n",
				"profiles/a.yaml": doc("pay.staging", "retries: 4", "schema: strict")})
		}, "1.0.1", "", 0},
		"and the data is large, too": {func(w *world) {
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4"),
				"profiles/a.yaml": doc("pay.staging", `retries: 4, timeout: "`+strings.Repeat("s", 2000)+`"`, "schema: pay")})
		}, "1.1.0", "data grew from 13 to 2026 bytes; " + tighterText, 0},
		"the edition before is gone": {func(w *world) {
			vs := w.store.data.versions["pay.staging"]
			vs[0].Commit = strings.Repeat("0", 40)
			w.commit("wider", files{"schemas/pay.yaml": withMaximum("9"), "profiles/a.yaml": retrying("8")})
		}, "1.0.1", "schema pay declares Backward compatibility, and the edition that version 1.0.0 was checked by cannot be read any more", 1},
		"what runs was never under a schema": {func(w *world) {
			vs := w.store.data.versions["pay.staging"]
			vs[0].SchemaHash = ""
			w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4"), "profiles/a.yaml": retrying("4")})
		}, "1.0.1", "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(files{"schemas/pay.yaml": paySchema, "profiles/a.yaml": retrying("3")})
			test.push(w)
			w.sync()
			d := w.store.data.deployments[len(w.store.data.deployments)-1]
			if d.Version != test.number || d.Guard != test.guard || (d.Awaiting == rollout.AwaitingApproval) != (test.guard != "") ||
				d.Approvals != test.approvals {
				t.Errorf("the deployment of %s has the guard %q and takes %d reviews, want %q for %s and %d",
					d.Version, d.Guard, d.Approvals, test.guard, test.number, test.approvals)
			}
			created := w.store.data.facts[len(w.store.data.facts)-1]
			for _, f := range w.store.data.facts {
				if f.Type == rollout.FactCreated {
					created = f
				}
			}
			if created.Details["guard"] != test.guard {
				t.Errorf("the audit says %v", created.Details)
			}
		})
	}
}

// TestAnApprovedEditionIsTheOneToCompareWith: once a deployment under the new
// edition has completed, nothing waits for it any more, and neither does the way back.
func TestAnApprovedEditionIsTheOneToCompareWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"schemas/pay.yaml": paySchema, "profiles/a.yaml": retrying("3")})
	w.commit("tighter", files{"schemas/pay.yaml": withMaximum("4"), "profiles/a.yaml": retrying("4")})
	w.sync()
	w.commit("another try before anybody approved", files{"profiles/a.yaml": retrying("2")})
	w.sync()
	last := func() rollout.Deployment { return w.store.data.deployments[len(w.store.data.deployments)-1] }
	if d := last(); d.Version != "1.0.2" || d.Guard != tighterText || d.Approvals != 0 {
		t.Fatalf("the deployment of %s has the guard %q and takes %d approvals", d.Version, d.Guard, d.Approvals)
	}
	w.store.finish(t, "pay.staging", rollout.Completed)
	w.commit("next", files{"profiles/a.yaml": retrying("1")})
	w.sync()
	if d := last(); d.Version != "1.0.3" || d.Guard != "" {
		t.Errorf("the deployment of %s has the guard %q, want none", d.Version, d.Guard)
	}
	w.store.finish(t, "pay.staging", rollout.Completed)
	w.commit("back to what ran first", files{"schemas/pay.yaml": strings.Replace(paySchema, "integer", "number", 1), "profiles/a.yaml": retrying("3")})
	w.sync()
	if d := last(); d.Version != "1.0.4" || !d.Proven || d.Guard != "" {
		t.Errorf("the deployment of %s, proven %v, has the guard %q, want none", d.Version, d.Proven, d.Guard)
	}
}
