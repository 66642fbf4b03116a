package store_test

import (
	"slices"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

var scopes = []profile.Scope{
	{},
	{Environments: []profile.Environment{profile.Staging}},
	{Environments: []profile.Environment{profile.Staging, profile.Production}, Profiles: []string{"pay*"}},
	{Profiles: []string{"pay?svc*", "nothing"}},
	{Profiles: []string{"pay_svc*"}},
	{Profiles: []string{"Pay*"}},
	{Profiles: []string{"*.staging"}},
	{Profiles: []string{"payment-service.*"}},
}

// The databases see the same profiles within a scope as Go does, in lists, in
// their totals, and by name.
func TestScopeIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		all := map[string]profile.Environment{payments: profile.Production}
		for _, name := range []string{"pay-svc.staging", "pay_svc.staging", "payxsvc.production", "Pay-svc.staging", "ship.staging"} {
			r := profile.Record{Name: name, Service: name, Environment: profile.Staging, Origin: profile.OriginGit, Source: "of-" + name, Strategy: profile.DefaultStrategy(profile.Direct)}
			if name == "payxsvc.production" {
				r.Environment = profile.Production
			}
			all[name] = r.Environment
			w.must(w.PutProfile(ctx, r))
			w.must(w.RegisterSource(ctx, store.Source{ID: r.Source, URL: "https://example.com/a.git", Branch: "main"}))
			w.must(w.Record(ctx, rollout.Fact{Type: "x", EntityType: "profile", EntityID: name, Actor: "test"}))
		}
		w.register("i-1")
		d := w.create("1.1.0")
		w.must(w.Record(ctx, rollout.Fact{Type: "y", EntityType: "deployment", EntityID: d.ID, Actor: "test"}))
		for _, scope := range scopes {
			var want []string
			for name, environment := range all {
				ok, err := w.ScopeHasProfile(ctx, scope, name)
				w.must(err)
				if ok != scope.Has(environment, name) {
					t.Errorf("%+v has %s: %v in the database", scope, name, ok)
				}
				if scope.Has(environment, name) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			page, total, err := w.Profiles(ctx, store.ProfileFilter{Scope: scope, Limit: 1})
			w.must(err)
			if total != len(want) || len(want) > 0 && (len(page) != 1 || page[0].Name != want[0]) {
				t.Errorf("%+v lists %d, first %+v, want %v", scope, total, page, want)
			}
			w.scopeOfPayments(scope, d.ID, slices.Contains(want, payments))
			sources, err := w.SourcesWithin(ctx, scope)
			w.must(err)
			for _, s := range sources {
				if name := s.ID[len("of-"):]; !slices.Contains(want, name) {
					t.Errorf("%+v has source %s", scope, s.ID)
				}
			}
			events, n, err := w.Audit(ctx, store.AuditFilter{EventType: "x", Scope: scope})
			w.must(err)
			if n != len(slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == payments })) {
				t.Errorf("%+v has %d events: %+v", scope, n, events)
			}
		}
	})
}

// scopeOfPayments checks a scope on what belongs to the profile of payments.
func (w *world) scopeOfPayments(scope profile.Scope, deployment string, want bool) {
	w.t.Helper()
	ctx := w.t.Context()
	_, deployments, err := w.Deployments(ctx, store.DeploymentFilter{Scope: scope})
	w.must(err)
	_, instances, err := w.Instances(ctx, store.InstanceFilter{Scope: scope})
	w.must(err)
	events, _, err := w.Audit(ctx, store.AuditFilter{Scope: scope, EntityID: deployment})
	w.must(err)
	instance := want || len(scope.Profiles) == 0 && scope.HasEnvironment(profile.Production)
	if (deployments == 1) != want || (instances == 1) != instance || (len(events) > 0) != want {
		w.t.Errorf("%+v has %d deployments, %d instances and %d events of %s, want %v", scope, deployments, instances, len(events), payments, want)
	}
	for id, has := range map[string]func() (bool, error){
		"deployment": func() (bool, error) { return w.ScopeHasDeployment(ctx, scope, deployment) },
		"instance":   func() (bool, error) { return w.ScopeHasInstance(ctx, scope, "i-1") },
		"service": func() (bool, error) {
			return w.ScopeHasService(ctx, scope, "payment-service", profile.Production)
		},
	} {
		ok, err := has()
		w.must(err)
		if expected := want || id != "deployment" && instance; ok != expected {
			w.t.Errorf("%+v has the %s: %v", scope, id, ok)
		}
	}
	statuses, err := w.StatusesWithin(ctx, scope, []store.CommitStatus{{Status: rollout.Status{Context: rollout.Context(payments)}}, {Status: rollout.Status{Context: rollout.AggregateContext}}})
	w.must(err)
	if (len(statuses) == 1) != want {
		w.t.Errorf("%+v has the statuses %+v", scope, statuses)
	}
}
