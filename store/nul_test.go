package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A NUL in what somebody writes as a reason fails neither the order nor, later,
// whoever looks at all deployments; and what only looks like one stays.
func TestNULInAReason(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const reason, path = "it \x00hurts", `see C:\u0000\temp \\u0000`
		w.routed("team")
		d := w.deployment("1.0.0")
		d.Cause = reason + path
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Facts: []rollout.Fact{fact(d, rollout.FactStarted)}}))
		next := w.read(d.ID)
		next.Explanation = reason
		rolledBack := fact(d, rollout.FactRollback)
		rolledBack.Details["reason"] = reason
		w.must(w.Order(t.Context(), rollout.Decision{Next: next, Changed: true, Facts: []rollout.Fact{rolledBack}}))

		if _, n, err := w.Deployments(t.Context(), store.DeploymentFilter{ForPerson: true, Limit: 10}); n != 0 || err != nil {
			t.Errorf("%d deployments wait for a person: %v", n, err)
		}
		if _, err := w.Stock(t.Context()); err != nil {
			t.Errorf("what is there cannot be counted: %v", err)
		}
		for what, text := range map[string]string{"cause": w.read(d.ID).Cause, "explanation": w.read(d.ID).Explanation} {
			if plain := strings.ReplaceAll(text, "\x00", ""); !strings.HasPrefix(plain, "it hurts") || what == "cause" && !strings.HasSuffix(plain, path) {
				t.Errorf("the %s is %q", what, text)
			}
		}
		if events, _, err := w.Audit(t.Context(), store.AuditFilter{Search: "hurts", Limit: 10}); len(events) == 0 || err != nil {
			t.Errorf("the audit log has %d of it: %v", len(events), err)
		}
		if n, broken, err := w.VerifyAudit(t.Context()); n == 0 || broken != nil || err != nil {
			t.Errorf("the audit log holds for %d rows, then %v, %v", n, broken, err)
		}
	})
}

// What is left out of JSON is NUL and nothing else, wherever backslashes stand.
func FuzzWithoutNUL(f *testing.F) {
	for _, seed := range []string{"", "a\x00b", `\`, `\\`, `\u0000`, "\\\x00", "\x00\\u0000\x00", "\\\\\x00\"\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, kept string
		if err := json.Unmarshal([]byte(store.WithoutNUL(string(raw))), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &kept); err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(kept, "\x00", ""); got != want {
			t.Errorf("%q became %q", kept, got)
		}
	})
}
