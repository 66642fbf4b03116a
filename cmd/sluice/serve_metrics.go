package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// What ends a deployment is known, so every count begins at 0: otherwise the
// first of each kind would be no increase to Prometheus.
var (
	strategies = []string{string(profile.Canary), string(profile.Rolling), string(profile.BlueGreen), string(profile.Direct)}
	finals     = []rollout.State{rollout.Completed, rollout.Failed, rollout.RolledBack, rollout.Superseded, rollout.Cancelled}
	triggers   = []string{"gate", "deadline", byPerson}
	verdicts   = []rollout.Outcome{rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.Error, rollout.Skipped}
)

const byPerson = "person"

// deploymentMetrics count deployments, whoever ends them.
type deploymentMetrics struct {
	ended      *prometheus.CounterVec
	rollbacks  *prometheus.CounterVec
	took, back prometheus.Histogram
}

func newDeploymentMetrics(registry prometheus.Registerer) *deploymentMetrics {
	m := &deploymentMetrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_deployments_total", Help: "Deployments that ended, by strategy and final status.",
		}, []string{"strategy", "status"}),
		rollbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_rollbacks_total", Help: "Rollbacks that began, by what asked for them: the gate, a deadline, or a person.",
		}, []string{"trigger"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_deployment_duration_seconds", Help: "Time from the creation of a deployment until it was completed, failed or rolled back.",
			Buckets: prometheus.ExponentialBuckets(1, 3, 10),
		}),
		back: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_rollback_duration_seconds", Help: "Time from the decision to roll back to the last acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(.1, 2, 12),
		}),
	}
	for _, strategy := range strategies {
		for _, state := range finals {
			m.ended.WithLabelValues(strategy, string(state))
		}
	}
	for _, trigger := range triggers {
		m.rollbacks.WithLabelValues(trigger)
	}
	registry.MustRegister(m.ended, m.rollbacks, m.took, m.back)
	return m
}

// finished counts a deployment that ended. How long it took says something only
// where it came to an end of its own.
func (m *deploymentMetrics) finished(d rollout.Deployment) {
	m.ended.WithLabelValues(string(d.Strategy.Type), string(d.State)).Inc()
	if d.State == rollout.Cancelled || d.State == rollout.Superseded {
		return
	}
	ctx := traceOf(d)
	telemetry.Observe(ctx, m.took, d.FinishedAt.Sub(d.CreatedAt).Seconds())
	switch {
	case d.State == rollout.RolledBack:
		telemetry.Observe(ctx, m.back, d.FinishedAt.Sub(d.RollbackAt).Seconds())
	case d.Kind == rollout.Rollback && d.State == rollout.Completed:
		telemetry.Observe(ctx, m.back, d.FinishedAt.Sub(d.CreatedAt).Seconds())
	}
}

func (m *deploymentMetrics) rollBack(d rollout.Deployment) {
	trigger := d.RollbackBy
	if trigger != "gate" && trigger != "deadline" {
		trigger = byPerson
	}
	m.rollbacks.WithLabelValues(trigger).Inc()
}

// traceOf is a context in the trace of a deployment, which outlives every other.
func traceOf(d rollout.Deployment) context.Context {
	return spans.With(context.Background(), d.TraceParent)
}

// engineMetrics counts what the engine does.
func engineMetrics(registry prometheus.Registerer, deployments *deploymentMetrics) rollout.EngineMetrics {
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gate_checks_total", Help: "Gate checks by outcome.",
	}, []string{"outcome"})
	for _, outcome := range verdicts {
		checks.WithLabelValues(string(outcome))
	}
	panics := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_engine_panics_total", Help: "Steps that panicked.",
	})
	claims := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_engine_claim_duration_seconds", Help: "Time to claim the deployments that are due.", Buckets: prometheus.ExponentialBuckets(.001, 3, 9),
	})
	steps := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_engine_step_duration_seconds", Help: "Time of one step of a deployment, by outcome; stale is one that another was quicker with.",
		Buckets: prometheus.ExponentialBuckets(.001, 3, 9),
	}, []string{"outcome"})
	for _, outcome := range []string{"ok", "stale", "error"} {
		steps.WithLabelValues(outcome)
	}
	registry.MustRegister(checks, panics, claims, steps)
	return rollout.EngineMetrics{
		RollBack: deployments.rollBack,
		Checked:  func(_ string, o rollout.Outcome) { checks.WithLabelValues(string(o)).Inc() },
		Panicked: func(string) { panics.Inc() },
		Claimed:  func(took time.Duration, _ int) { claims.Observe(took.Seconds()) },
		Stepped: func(took time.Duration, err error) {
			outcome := outcomeOf(err)
			if errors.Is(err, rollout.ErrStale) {
				outcome = "stale"
			}
			steps.WithLabelValues(outcome).Observe(took.Seconds())
		},
	}
}

// databaseMetrics tell of the pools of connections, and of the heartbeats' batches.
func databaseMetrics(registry prometheus.Registerer, db *store.Store, heartbeats *store.Heartbeats) {
	for name, pool := range db.Pools() {
		registry.MustRegister(collectors.NewDBStatsCollector(pool, name))
	}
	beats := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_heartbeat_batch_size", Help: "Heartbeats that were written in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 4, 6),
	})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_heartbeat_batch_duration_seconds", Help: "Time to write a batch of heartbeats, by outcome.", Buckets: prometheus.ExponentialBuckets(.001, 3, 9),
	}, []string{"outcome"})
	for _, outcome := range []string{"ok", "error"} {
		seconds.WithLabelValues(outcome)
	}
	registry.MustRegister(beats, seconds)
	heartbeats.Written = func(n int, took time.Duration, err error) {
		beats.Observe(float64(n))
		seconds.WithLabelValues(outcomeOf(err)).Observe(took.Seconds())
	}
}

// validationMetrics times checks of profiles, wherever they come from.
func validationMetrics(registry prometheus.Registerer) func(ctx context.Context, took time.Duration) {
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_validation_duration_seconds", Help: "Time to read a profile, lay it over its bases and check it against its schema; of data given by API, the check alone.",
		Buckets: prometheus.ExponentialBuckets(.0001, 4, 9),
	})
	registry.MustRegister(seconds)
	return func(ctx context.Context, took time.Duration) { telemetry.Observe(ctx, seconds, took.Seconds()) }
}

// outboxMetrics count attempts to tell the outside, and those that panicked.
func outboxMetrics(registry prometheus.Registerer) (attempted func(context.Context, string, time.Duration, store.Outcome), panicked func()) {
	attempts := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_outbox_attempt_duration_seconds", Help: "Time of one attempt at a job of the outbox, by kind and what became of it.",
		Buckets: prometheus.ExponentialBuckets(.002, 4, 8),
	}, []string{"kind", "outcome"})
	for _, kind := range store.JobKinds() {
		for _, outcome := range []store.Outcome{store.Sent, store.Retried, store.Refused} {
			attempts.WithLabelValues(kind, string(outcome))
		}
	}
	panics := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_outbox_panics_total", Help: "Posts of commit statuses that panicked.",
	})
	registry.MustRegister(attempts, panics)
	return func(ctx context.Context, kind string, took time.Duration, outcome store.Outcome) {
		telemetry.Observe(ctx, attempts.WithLabelValues(kind, string(outcome)), took.Seconds())
	}, panics.Inc
}
