package store_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

var elsewhere = profile.Scope{Profiles: []string{"shipping-*"}}

// A part of a name is found in whatever case, and means nothing but itself.
func TestProfilesAreFoundByAPartOfTheirName(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, name := range []string{"pay_svc.staging", "payxsvc.staging", "Pay-Gateway.staging"} {
			w.putProfile(name)
		}
		for part, want := range map[string][]string{
			"":         {"Pay-Gateway.staging", "pay_svc.staging", payments, "payxsvc.staging"},
			"PAY":      {"Pay-Gateway.staging", "pay_svc.staging", payments, "payxsvc.staging"},
			"gateway":  {"Pay-Gateway.staging"},
			"y_s":      {"pay_svc.staging"},
			"%":        nil,
			`\`:        nil,
			"' OR 1=1": nil,
			".staging": {"Pay-Gateway.staging", "pay_svc.staging", "payxsvc.staging"},
		} {
			found, total, err := w.Profiles(t.Context(), store.ProfileFilter{Search: part})
			w.must(err)
			var names []string
			for _, r := range found {
				names = append(names, r.Name)
			}
			if !slices.Equal(names, want) || total != len(want) {
				t.Errorf("%q finds %d: %v, want %v", part, total, names, want)
			}
		}
	})
}

// A service is named while one of its instances is ill or silent, and counted
// once: what a silent one said of its health is old.
func TestUnwellServices(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		unwell := func(scope profile.Scope) []store.ServiceState {
			t.Helper()
			services, err := w.UnwellServices(t.Context(), scope)
			w.must(err)
			return services
		}
		for _, id := range []string{"i-1", "i-2", "i-3"} {
			w.register(id)
		}
		w.beat("i-1", fleet.StatusHealthy)
		if services := unwell(profile.Scope{}); len(services) != 0 {
			t.Errorf("nobody is ill: %+v", services)
		}
		w.beat("i-1", fleet.StatusUnhealthy)
		w.beat("i-2", fleet.StatusDegraded)
		want := store.ServiceState{Service: "payment-service", Environment: profile.Production, Instances: 3, Unhealthy: 1, Degraded: 1}
		if services := unwell(profile.Scope{}); !slices.Equal(services, []store.ServiceState{want}) {
			t.Errorf("got %+v, want %+v", services, want)
		}
		w.advance(fleet.StaleAfter)
		w.beat("i-2", fleet.StatusHealthy)
		want.Unhealthy, want.Degraded, want.Silent = 0, 0, 2
		if services := unwell(profile.Scope{Profiles: []string{"payment-*"}}); !slices.Equal(services, []store.ServiceState{want}) {
			t.Errorf("got %+v, want %+v", services, want)
		}
		if services := unwell(elsewhere); len(services) != 0 {
			t.Errorf("another team sees %+v", services)
		}
	})
}

func TestEndedDeployments(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		since := w.clock()
		w.advance(time.Minute)
		first := w.create("1.0.0")
		second := w.create("1.1.0") // supersedes the first
		newest, counts, err := w.Ended(t.Context(), profile.Scope{}, since, 20)
		w.must(err)
		if len(newest) != 1 || newest[0].ID != first.ID || !reflect.DeepEqual(counts, map[rollout.State]int{rollout.Superseded: 1}) {
			t.Errorf("ended are %+v, %v", newest, counts)
		}
		for what, ended := range map[string]func() ([]rollout.Deployment, map[rollout.State]int, error){
			"another team": func() ([]rollout.Deployment, map[rollout.State]int, error) {
				return w.Ended(t.Context(), elsewhere, since, 20)
			},
			"later": func() ([]rollout.Deployment, map[rollout.State]int, error) {
				return w.Ended(t.Context(), profile.Scope{}, w.clock(), 20)
			},
		} {
			newest, counts, err := ended()
			w.must(err)
			if len(newest) != 0 || len(counts) != 0 {
				t.Errorf("%s: %+v, %v", what, newest, counts)
			}
		}
		active, err := w.ActiveAmong(t.Context(), []string{payments, "no-such"})
		w.must(err)
		if len(active) != 1 || active[payments].ID != second.ID {
			t.Errorf("active are %+v", active)
		}
	})
}

// What waits for a person is found, one that nobody can step too.
func TestDeploymentsForAPerson(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		waiting := func() int {
			t.Helper()
			_, total, err := w.Deployments(t.Context(), store.DeploymentFilter{ForPerson: true})
			w.must(err)
			return total
		}
		d := w.create("1.1.0")
		if n := waiting(); n != 0 {
			t.Errorf("%d wait", n)
		}
		for awaiting, want := range map[rollout.Awaiting]int{rollout.AwaitingAcks: 0, rollout.AwaitingApproval: 1, rollout.AwaitingPromotion: 1} {
			next := w.read(d.ID)
			next.Awaiting = awaiting
			w.must(w.Order(t.Context(), rollout.Decision{Next: next, Changed: true}))
			if n := waiting(); n != want {
				t.Errorf("awaiting %s: %d wait, want %d", awaiting, n, want)
			}
		}
		next := w.read(d.ID)
		next.Awaiting = rollout.AwaitingAcks
		w.must(w.Order(t.Context(), rollout.Decision{Next: next, Changed: true}))
		w.must(w.raw(`UPDATE config_deployments SET quarantined = 'no step could be stored', next_step_at = NULL`))
		if n := waiting(); n != 1 {
			t.Errorf("set aside: %d wait", n)
		}
	})
}

func TestSpread(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, id := range []string{"i-1", "i-2", "i-3"} {
			w.register(id)
		}
		w.create("1.1.0")
		for _, id := range []string{"i-1", "i-2", "i-3"} {
			w.assign(id, "1.1.0")
		}
		w.acknowledge(ack(w.assignment("i-1")))
		refused := ack(w.assignment("i-2"))
		refused.OK, refused.Error = false, "port is taken"
		w.acknowledge(refused)
		w.advance(fleet.StaleAfter)
		w.beat("i-1", fleet.StatusHealthy)
		spread, err := w.Spread(t.Context(), payments)
		w.must(err)
		want := []store.Spread{{Version: "", Instances: 2, Silent: 2, Failing: 1}, {Version: "1.1.0", Instances: 1}}
		if !slices.Equal(spread, want) {
			t.Errorf("got %+v, want %+v", spread, want)
		}
	})
}
