package api

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// stock tells what is in the store when somebody scrapes. It looks at most
// every few seconds, whoever asks.
type stock struct {
	store   *store.Store
	leaving func() bool
	brief   bool // only whether the database answers: replicas that decide tell what is in it
	descs   map[string]*prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	seen store.Stock
	ok   bool
}

const (
	stockAge    = 5 * time.Second
	stockWithin = 2 * time.Second
)

func newStock(s *store.Store, leaving func() bool, brief bool) *stock {
	k := &stock{store: s, leaving: leaving, brief: brief, descs: map[string]*prometheus.Desc{}}
	for _, m := range []struct {
		name, help string
		labels     []string
	}{
		{"sluice_ready", "1 while the daemon takes requests: the database answers, and it is not stopping.", nil},
		{"sluice_database_up", "1 while the database answers.", nil},
		{"sluice_database_refused_writes_total", "Writes that met a full or read-only disk of the database.", nil},
		{"sluice_configs", "Profiles that are not retired.", nil},
		{"sluice_holds", "Profiles on hold.", nil},
		{"sluice_hold_oldest_seconds", "How long the oldest hold in force lasts; 0 without any.", nil},
		{"sluice_frozen", "1 while a freeze is in force.", nil},
		{"sluice_deployments_in_progress", "Deployments that have not ended.", nil},
		{"sluice_deployments_active", "Deployments that have not ended, by state.", []string{"state"}},
		{"sluice_deployments_awaiting", "Deployments that have not ended, by what they wait for beside time.", []string{"awaiting"}},
		{"sluice_deployments_set_aside", "Deployments that wait for a person because none of their steps could be stored.", nil},
		{"sluice_deployment_overdue_seconds", "How long the step of a deployment has been due that no daemon has made.", nil},
		{"sluice_deployment_idle_seconds", "How long a deployment under way, that waits for no person, has made no progress.", nil},
		{"sluice_rollback_oldest_seconds", "How long the oldest rollback under way has taken until now; 0 without any.", nil},
		{"sluice_outbox_pending", "Commit statuses and comments that wait to be posted.", nil},
		{"sluice_outbox_jobs", "Jobs that wait in the outbox, by kind.", []string{"kind"}},
		{"sluice_outbox_oldest_seconds", "How long the oldest job in the outbox has waited, by kind.", []string{"kind"}},
		{"sluice_notifications_pending", "Notifications that wait to be sent.", nil},
		{"sluice_instances", "Registered instances by the health they report.", []string{"status"}},
		{"sluice_instances_silent", "Registered instances without a heartbeat for two minutes: nobody waits for them.", nil},
		{"sluice_source_error", "1 while the source's last sync failed.", []string{"source"}},
	} {
		k.descs[m.name] = prometheus.NewDesc(m.name, m.help, m.labels, nil)
	}
	return k
}

// Describe names the metrics.
func (k *stock) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range k.descs {
		ch <- d
	}
}

// Collect reads the store, or what was read a moment ago. When the store does
// not answer that is all there is to tell, and the scrape goes on without.
func (k *stock) Collect(ch chan<- prometheus.Metric) {
	seen, ok := k.look()
	gauge := func(name string, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(k.descs[name], prometheus.GaugeValue, value, labels...)
	}
	if !k.brief { // which is ready for instances alone: nothing is rolled out for all that
		gauge("sluice_ready", oneIf(ok && !k.leaving()))
	}
	gauge("sluice_database_up", oneIf(ok))
	refusals, _ := k.store.Refused()
	ch <- prometheus.MustNewConstMetric(k.descs["sluice_database_refused_writes_total"], prometheus.CounterValue, float64(refusals))
	if !ok || k.brief {
		return
	}
	gauge("sluice_configs", float64(seen.Profiles))
	gauge("sluice_holds", float64(seen.Holds))
	gauge("sluice_hold_oldest_seconds", seen.OldestHold.Seconds())
	gauge("sluice_frozen", oneIf(seen.Frozen))
	gauge("sluice_outbox_pending", float64(seen.Outbox))
	gauge("sluice_notifications_pending", float64(seen.Notifications))
	for _, kind := range store.JobKinds() {
		gauge("sluice_outbox_jobs", float64(seen.Jobs[kind].Pending), kind)
		gauge("sluice_outbox_oldest_seconds", seen.Jobs[kind].Oldest.Seconds(), kind)
	}
	for _, status := range []fleet.Status{fleet.StatusHealthy, fleet.StatusDegraded, fleet.StatusUnhealthy, fleet.StatusUnknown} {
		gauge("sluice_instances", float64(seen.Instances[string(status)]), string(status))
	}
	gauge("sluice_instances_silent", float64(seen.Silent))
	for source, failed := range seen.SourceFailed {
		gauge("sluice_source_error", oneIf(failed), source)
	}
	deployments(seen.Deployments, gauge)
}

// deployments tells of those that have not ended. What there can be and is not is 0.
func deployments(active store.ActiveDeployments, gauge func(name string, value float64, labels ...string)) {
	gauge("sluice_deployments_in_progress", float64(active.Total))
	for _, state := range []rollout.State{rollout.Pending, rollout.InProgress, rollout.Paused, rollout.RollingBack} {
		gauge("sluice_deployments_active", float64(active.States[string(state)]), string(state))
	}
	for _, what := range []rollout.Awaiting{
		rollout.AwaitingApproval, rollout.AwaitingWindow, rollout.AwaitingFreeze, rollout.AwaitingPromotion, rollout.AwaitingAcks,
		rollout.AwaitingTraffic, rollout.AwaitingEvidence,
	} {
		gauge("sluice_deployments_awaiting", float64(active.Awaiting[string(what)]), string(what))
	}
	gauge("sluice_deployments_set_aside", float64(active.SetAside))
	gauge("sluice_deployment_overdue_seconds", active.Overdue.Seconds())
	gauge("sluice_deployment_idle_seconds", active.Idle.Seconds())
	gauge("sluice_rollback_oldest_seconds", active.Rollback.Seconds())
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// look asks once for all who scrape meanwhile, and a store that did not answer
// not again for a while: a scrape waits for it no longer than stockWithin.
func (k *stock) look() (store.Stock, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.at) < stockAge {
		return k.seen, k.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), stockWithin)
	defer cancel()
	read := k.store.Stock
	if k.brief {
		read = func(ctx context.Context) (store.Stock, error) { return store.Stock{}, k.store.Ping(ctx) }
	}
	seen, err := read(ctx)
	k.seen, k.ok, k.at = seen, err == nil, time.Now()
	return k.seen, k.ok
}
