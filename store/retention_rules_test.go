package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// bury makes everything there is old, and none of it the newest.
func (w *world) bury() {
	w.t.Helper()
	w.advance(short.Age + day)
	for i := range short.Versions {
		w.addVersion(fmt.Sprintf("9.%d.0", i), fmt.Sprintf("9%ds", i))
	}
}

func (w *world) retained(policy store.Retention) store.Retained {
	w.t.Helper()
	removed, err := w.Retain(w.t.Context(), policy)
	w.must(err)
	return removed
}

func (w *world) has(number string) bool {
	w.t.Helper()
	_, err := w.Version(w.t.Context(), payments, number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// kept is a time as the engine keeps it.
func (w *world) kept(at time.Time) any {
	if w.sqlite() {
		return at.UnixMicro()
	}
	return at
}

// Each of these alone keeps a version that is old in every other way.
func TestOneReasonIsEnoughToStay(t *testing.T) {
	t.Parallel()
	for reason, give := range map[string]func(w *world){
		"": func(*world) {},
		"it is wanted": func(w *world) {
			r, err := w.Profile(t.Context(), payments)
			w.must(err)
			r.DesiredVersion = "1.0.0"
			w.must(w.PutProfile(t.Context(), r))
		},
		"a hold refuses it": func(w *world) {
			d := w.create("1.1.0")
			d.State, d.FinishedAt = rollout.RolledBack, w.clock()
			w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Hold: &rollout.Hold{
				Profile: payments, PinnedVersion: "1.1.0", RefusedVersion: "1.0.0", RefusedHash: "x", Actor: "gate", CreatedAt: w.clock()}}))
		},
		"the latest deployment leads back to it": func(w *world) {
			d := w.deployment("1.1.0")
			d.Previous = "1.0.0"
			w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
		},
		"what brought the current version leads back to it": func(w *world) {
			d := w.deployment("1.1.0")
			d.Previous, d.State, d.FinishedAt = "1.0.0", rollout.Completed, w.clock()
			w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Current: "1.1.0"}))
			failed := w.deployment("1.1.0")
			failed.State, failed.FinishedAt = rollout.Failed, w.clock()
			w.must(w.Create(t.Context(), rollout.Decision{Next: failed, Changed: true}))
		},
		"the deployment that an instance was assigned by stays": func(w *world) {
			w.register("i-1")
			w.create("1.0.0")
			w.assign("i-1", "1.1.0") // what it brought is taken back
			d, err := w.ActiveDeployment(t.Context(), payments)
			w.must(err)
			d.State, d.FinishedAt = rollout.RolledBack, w.clock()
			w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
			for range short.Versions {
				d := w.deployment("1.1.0")
				d.State, d.FinishedAt = rollout.Failed, w.clock()
				w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
			}
		},
		"it is deployed": func(w *world) { w.create("1.0.0") },
		"it completed":   func(w *world) { w.finish("1.0.0", 0) },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, w *world) {
				give(w)
				w.bury()
				w.retained(short)
				if stays := w.has("1.0.0"); stays != (reason != "") {
					t.Errorf("it stays: %t", stays)
				}
			})
		})
	}
}

// Retention without pause, while versions come and are rolled back: every
// rollback finds its target.
func TestRetentionNeverTakesTheTargetOfARollback(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.finish("1.0.0", 1)
		ctx, stop := context.WithCancel(t.Context())
		var loops sync.WaitGroup
		var gone atomic.Int64
		loops.Go(func() {
			for ctx.Err() == nil {
				removed, err := w.Retain(context.WithoutCancel(ctx), short)
				if err != nil {
					t.Error(err)
					return
				}
				gone.Add(int64(removed["config_versions"]))
			}
		})
		for i := 0; i < 25 || gone.Load() == 0 && i < 500; i++ { // a busy machine may give retention its turn late
			number := fmt.Sprintf("3.%d.0", i)
			w.addVersion(number, fmt.Sprintf("%dh", i))
			w.finish(number, 1)
			w.advance(5 * day)
			completed := w.completions()
			target := completed[min(len(completed), 5)-1]
			d := w.deployment(target)
			d.Kind, d.Previous = rollout.Rollback, number
			w.must(w.Create(t.Context(), rollout.Decision{Next: d, Changed: true}))
			d = w.read(d.ID)
			d.State, d.FinishedAt = rollout.Completed, w.clock()
			w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true, Current: target}))
		}
		stop()
		loops.Wait()
		if gone.Load() == 0 {
			t.Error("no version was removed meanwhile: nothing was tested")
		}
	})
}

// More than one transaction's worth goes in one run.
func TestRetentionGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.must(w.tx(func(tx *store.Tx) error {
			for i := range 620 {
				v := w.version(fmt.Sprintf("0.0.%d", i+1), "1s")
				if err := errors.Join(tx.InsertVersion(t.Context(), v), tx.Record(t.Context(), rollout.Fact{Type: "x"})); err != nil {
					return err
				}
			}
			return nil
		}))
		first := w.deployment("0.0.1")
		w.must(w.tx(func(tx *store.Tx) error {
			for i := range 120 {
				d := first
				d.ID, d.State, d.FinishedAt = fmt.Sprintf("d-%d", i), rollout.Failed, w.clock()
				if err := tx.CreateDeployment(t.Context(), rollout.Decision{Next: d, Changed: true,
					Checks: []rollout.Check{{DeploymentID: d.ID, At: w.clock()}}}); err != nil {
					return err
				}
			}
			return nil
		}))
		w.bury()
		w.advance(short.AuditAge)
		removed := w.retained(short)
		kept := short.Versions // deployments; all are of one version
		want := store.Retained{"config_versions": 622 - 1, "config_deployments": 120 - kept, "deployment_checks": 120 - kept, "config_audit_logs": 620}
		same(t, removed, want)
		events, _, err := w.Audit(t.Context(), store.AuditFilter{EventType: store.FactRetained})
		if err != nil || len(events) != 1 || events[0].Fact.Details["config_versions"] != float64(622-1) {
			t.Errorf("the audit log says %+v, %v", events, err)
		}
		if n, broken, err := w.VerifyAudit(t.Context()); n != 1 || broken != nil || err != nil {
			t.Errorf("what is left of it: %d rows, %+v, %v", n, broken, err)
		}
	})
}

// Evidence is not swept away.
func TestRetentionLeavesABrokenAuditLogAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for range 3 {
			w.must(w.Record(t.Context(), rollout.Fact{Type: "x"}))
		}
		w.disarm("config_audit_logs", "config_audit_logs_immutable")
		w.must(w.raw(`UPDATE config_audit_logs SET user_id = 'nobody' WHERE id = 2`))
		w.bury()
		w.advance(short.AuditAge)
		removed, err := w.Retain(t.Context(), short)
		if err == nil || !strings.Contains(err.Error(), "row 2 was changed") {
			t.Errorf("the error is %v", err)
		}
		if removed["config_audit_logs"] != 0 || removed["config_versions"] != 2 {
			t.Errorf("it removed %v, want the old versions and no audit event", removed)
		}
		if _, broken, err := w.VerifyAudit(t.Context()); err != nil || broken == nil || broken.ID != 2 {
			t.Errorf("verify finds %+v, %v", broken, err)
		}
	})
}

func TestRetentionLeavesAProfileAloneThatItCannotRead(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.create("1.0.0")
		w.must(w.raw(`UPDATE config_deployments SET body = '[]'`))
		w.bury()
		removed, err := w.Retain(t.Context(), short)
		if _, corrupt := errors.AsType[*store.CorruptError](err); !corrupt || removed.Total() != 0 {
			t.Errorf("it removed %v, %v", removed, err)
		}
	})
}

func TestRetentionNeedsAWholePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bury()
	for _, policy := range []store.Retention{{}, {Versions: 1, Age: time.Hour}, {Age: 1, AuditAge: 1}} {
		if removed, err := w.Retain(t.Context(), policy); err == nil || removed.Total() != 0 {
			t.Errorf("%+v removed %v, %v", policy, removed, err)
		}
	}
}

// The statuses of a commit go together, when nothing about it is new.
func TestRetentionOfStatuses(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		set := func(commit, name string) {
			w.must(w.tx(func(tx *store.Tx) error {
				return tx.SetStatus(ctx, rollout.Status{Source: "configs", Commit: commit, Context: "sluice/" + name, State: rollout.StatusSuccess})
			}))
		}
		for _, commit := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
			set(commit, "one")
			set(commit, "two")
			w.must(w.RecordPostedStatus(ctx, rollout.Status{Source: "configs", Commit: commit, Context: "sluice"}))
		}
		w.must(w.raw(`UPDATE commit_statuses SET posted_revision = revision WHERE NOT (commit_sha = 'bbbb' AND context = 'sluice/one')`))
		w.must(w.raw(`INSERT INTO webhook_deliveries (delivery_id, forge, received_at) VALUES ('1', 'github', $1), ('2', 'github', $2)`,
			w.kept(w.clock()), w.kept(w.clock().Add(30*day))))
		w.must(w.tx(func(tx *store.Tx) error { return tx.MoveHead(ctx, "configs", "", "cccc", "") }))
		w.advance(short.Age + day)
		set("dddd", "three")
		w.must(w.raw(`UPDATE commit_statuses SET posted_revision = revision WHERE commit_sha = 'dddd'`))
		w.must(w.tx(func(tx *store.Tx) error {
			return tx.PutProblem(ctx, profile.SourceProblem{Source: "configs", Path: "a.yaml", Commit: "aaaa"})
		}))
		same(t, w.retained(short), store.Retained{"commit_statuses": 3, "posted_statuses": 1, "webhook_deliveries": 1})
		for commit, want := range map[string]bool{"aaaa": false, "bbbb": true, "cccc": true, "dddd": true} {
			statuses, err := w.CommitStatuses(ctx, commit)
			if (err == nil && len(statuses) >= 3) != want {
				t.Errorf("%s has %d statuses, %v", commit, len(statuses), err)
			}
		}
	})
}
