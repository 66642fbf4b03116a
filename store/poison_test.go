package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func corruptBodies() map[string]string {
	return map[string]string{
		"bad JSON":         `{"ID":`,
		"another row":      `{"ID":"x"}`,
		"an unknown state": `{"State":"Levitating"}`,
		"null":             `null`,
		"a wrong type":     `{"ID":7}`,
	}
}

// One bad row never stops the others, and never stands in the way of going back.
func TestCorruptDeployment(t *testing.T) {
	t.Parallel()
	for name, body := range corruptBodies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				w.register("i-1")
				bad := w.create("1.1.0")
				if err := w.raw(`UPDATE config_deployments SET body = $1`, body); err != nil {
					if name == "bad JSON" && !w.sqlite() {
						return // the database itself refuses it
					}
					t.Fatal(err)
				}

				_, err := w.Deployment(t.Context(), bad.ID)
				if corrupt, ok := errors.AsType[*store.CorruptError](err); !ok || corrupt.Key != bad.ID {
					t.Errorf("reading it gave %v, want a CorruptError that names it", err)
				}
				list, total, err := w.Deployments(t.Context(), store.DeploymentFilter{})
				w.must(err)
				if total != 1 || len(list) != 1 || list[0].ID != bad.ID || list[0].State != rollout.Pending {
					t.Errorf("the list is %+v", list)
				}
				instance, err := w.Instance(t.Context(), "i-1")
				w.must(err)
				if _, err := w.Heard(t.Context(), instance); err != nil {
					t.Errorf("a heartbeat's answer fails: %v", err)
				}

				next := w.create("1.0.0")
				list, _, err = w.Deployments(t.Context(), store.DeploymentFilter{Status: string(rollout.Superseded)})
				w.must(err)
				if len(list) != 1 || list[0].ID != bad.ID {
					t.Errorf("superseded are %+v, want the corrupt one", list)
				}
				if c := w.statuses()[rollout.Context(payments)]; c.Source != "configs" || c.State != rollout.StatusSuccess {
					t.Errorf("the commit of the corrupt one says %+v", c)
				}
				if claim := w.claimOne("a"); claim.DeploymentID != next.ID {
					t.Errorf("claimed %s, want %s", claim.DeploymentID, next.ID)
				}
			})
		})
	}
}

func TestCorruptDeploymentDoesNotKeepOthersFromBeingClaimed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		bad := w.create("1.1.0")
		w.must(w.raw(`UPDATE config_deployments SET body = '7'`))
		w.putProfile("other")
		v := w.version("1.0.0", "1s")
		v.Profile = "other"
		w.must(w.InsertVersion(t.Context(), v))
		d := w.deployment("1.0.0")
		d.Profile, d.Hash = "other", v.Hash
		w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
		if claims := w.claim("a"); len(claims) != 2 {
			t.Fatalf("claimed %+v", claims)
		}
		for _, id := range []string{bad.ID, d.ID} {
			_, err := w.Deployment(t.Context(), id)
			if (err != nil) != (id == bad.ID) {
				t.Errorf("deployment %s: %v", id, err)
			}
		}
	})
}

func TestCorruptProfile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.putProfile("other")
		w.must(w.raw(`UPDATE config_profiles SET target_labels = '7', default_strategy = '7' WHERE name = $1`, payments))

		_, err := w.Profile(t.Context(), payments)
		if corrupt, ok := errors.AsType[*store.CorruptError](err); !ok || corrupt.Key != payments {
			t.Errorf("reading it gave %v, want a CorruptError that names it", err)
		}
		records, err := w.NamedProfiles(t.Context(), []string{payments, "other", "unknown"})
		w.must(err)
		if len(records) != 2 || records[1].Name != payments || records[1].Service != "payment-service" {
			t.Errorf("the profiles of these names are %+v", records)
		}
		list, total, err := w.Profiles(t.Context(), store.ProfileFilter{})
		w.must(err)
		if total != 2 || len(list) != 2 {
			t.Errorf("%d profiles of %d are listed", len(list), total)
		}
		w.register("i-1")

		w.putProfile(payments)
		r, err := w.Profile(t.Context(), payments)
		w.must(err)
		if r.Strategy.Type != profile.Canary {
			t.Errorf("writing it anew did not mend it: %+v", r)
		}
	})
}

func TestCorruptInstanceAndSample(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.register("i-2")
		w.beat("i-1", fleet.StatusHealthy)
		w.advance(time.Second)
		w.beat("i-1", fleet.StatusHealthy)
		w.must(w.raw(`UPDATE service_instances SET labels = '7' WHERE instance_id = 'i-2'`))
		w.must(w.raw(`UPDATE health_samples SET sample = '7' WHERE seq = 1`))
		snap, err := w.Snapshot(t.Context(), w.deployment("1.0.0"), nil)
		w.must(err)
		if len(snap.Targets) != 2 || len(byID(snap.Targets)[0].Samples) != 1 {
			t.Errorf("snapshot is %+v", snap)
		}
		list, _, err := w.Instances(t.Context(), store.InstanceFilter{})
		w.must(err)
		if len(list) != 2 {
			t.Errorf("instances are %+v", list)
		}
	})
}

func TestTamperedAuditEventIsShown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(w.Record(t.Context(), rollout.Fact{Type: "test.happened", Details: map[string]any{"n": 1}}))
		w.disarm("config_audit_logs", "config_audit_logs_immutable")
		w.must(w.raw(`UPDATE config_audit_logs SET details = '7'`))
		events, _, err := w.Audit(t.Context(), store.AuditFilter{})
		w.must(err)
		if len(events) != 1 || events[0].Fact.Details["unreadable"] != "7" {
			t.Errorf("events are %+v", events)
		}
		if _, broken, err := w.VerifyAudit(t.Context()); err != nil || broken == nil || broken.ID != 1 {
			t.Errorf("verify says %+v, %v", broken, err)
		}
	})
}
