package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// A source's commits are listed newest first with all that they became: versions,
// statuses and deployments. One that made no version is among them, the check of
// a pull request is not.
func TestSourceCommits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.must(w.RegisterSource(ctx, store.Source{ID: "configs", URL: "https://example.com/a.git", Branch: "main"}))
		older, newer, none, pull := strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40), strings.Repeat("d", 40)
		commit := func(sha, number, timeout string) {
			v := w.version(number, timeout)
			v.Commit, v.Message, v.Author = sha, "set "+timeout, "ada"
			w.must(w.InsertVersion(ctx, v))
		}
		status := func(sha, context string, state rollout.StatusState) {
			w.must(w.InTx(ctx, func(tx *store.Tx) error {
				return tx.SetStatus(ctx, rollout.Status{Source: "configs", Commit: sha, Context: context, State: state, Description: string(state)})
			}))
		}
		commit(older, "1.2.0", "1s")
		d := w.deployment("1.2.0")
		d.Commit = older
		w.must(w.Create(ctx, rollout.Decision{Next: d, Changed: true}))
		w.advance(time.Minute)
		commit(newer, "1.3.0", "2s")
		status(newer, rollout.Context(payments), rollout.StatusPending)
		status(newer, "sluice/broken.production", rollout.StatusFailure)
		w.advance(time.Minute)
		status(none, rollout.AggregateContext, rollout.StatusSuccess)
		status(pull, rollout.CheckContext, rollout.StatusSuccess)

		commits, err := w.SourceCommits(ctx, "configs", profile.Scope{}, 30)
		w.must(err)
		var shas []string
		for _, c := range commits {
			shas = append(shas, c.Commit)
		}
		if !slices.Equal(shas, []string{none, newer, older}) {
			t.Fatalf("the commits are %v", shas)
		}
		if c := commits[1]; c.VersionCount != 1 || len(c.Versions) != 1 || c.Versions[0].Message != "set 2s" || len(c.Deployments) != 0 ||
			len(c.Statuses) != 3 || c.Statuses[0].Context != rollout.AggregateContext || c.Statuses[1].State != rollout.StatusFailure {
			t.Errorf("the newer one is %+v", c)
		}
		if c := commits[2]; len(c.Deployments) != 1 || c.Deployments[0].ID != d.ID || c.Deployments[0].State != rollout.Pending {
			t.Errorf("the older one is %+v", c)
		}
		if first, err := w.SourceCommits(ctx, "configs", profile.Scope{}, 1); err != nil || len(first) != 1 || first[0].Commit != none {
			t.Errorf("the first alone: %+v, %v", first, err)
		}
		if other, err := w.SourceCommits(ctx, "no-such", profile.Scope{}, 30); err != nil || len(other) != 0 {
			t.Errorf("of another source: %+v, %v", other, err)
		}
		ours, err := w.SourceCommits(ctx, "configs", profile.Scope{Profiles: []string{"payment-*"}}, 30)
		w.must(err)
		if len(ours) != 2 || ours[0].Commit != newer || len(ours[0].Statuses) != 1 || ours[0].Statuses[0].Context != rollout.Context(payments) {
			t.Errorf("within a scope: %+v", ours)
		}
		if theirs, err := w.SourceCommits(ctx, "configs", profile.Scope{Profiles: []string{"shipping-*"}}, 30); err != nil || len(theirs) != 0 {
			t.Errorf("within another scope: %+v, %v", theirs, err)
		}
		if _, err := w.Source(ctx, "no-such"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a source that there is not: %v", err)
		}
	})
}

// What is looked for is a text, in either case, and no pattern.
func TestLookingFor(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, host := range []string{"Payment-7f_1", "payment-7f-2", "search-100%"} {
			w.must(w.RegisterInstance(ctx, fleet.Instance{ID: host, Service: "payment-service", Environment: profile.Production, Hostname: host}, []byte(host)))
		}
		for part, want := range map[string]int{"payment": 2, "PAYMENT-7F": 2, "7f_": 1, "%": 1, `\`: 0, "": 3, "none": 0} {
			if _, total, err := w.Instances(ctx, store.InstanceFilter{Search: part}); err != nil || total != want {
				t.Errorf("%q is in %d hosts, want %d: %v", part, total, want, err)
			}
		}
		w.must(w.Record(ctx, rollout.Fact{Type: "profile.looked-at", EntityType: "profile", EntityID: payments, Actor: "Ada", TraceID: "feed01", Details: map[string]any{"reason": "100% sure"}}))
		for part, want := range map[string]int{"looked-AT": 1, "ada": 1, "feed01": 1, "100% SURE": 1, "100_": 0, "no such": 0} {
			if _, total, err := w.Audit(ctx, store.AuditFilter{Search: part}); err != nil || total != want {
				t.Errorf("%q is in %d events, want %d: %v", part, total, want, err)
			}
		}
	})
}

// The schemas that profiles name are known whether they were registered or not.
func TestSchemaUses(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, name := range []string{"a.staging", "b.staging", "gone.staging"} {
			w.must(w.PutProfile(ctx, profile.Record{Name: name, Service: name, Environment: profile.Staging, Origin: profile.OriginGit, Source: "configs",
				Strategy: profile.DefaultStrategy(profile.Direct), SchemaID: "numbers.v1", Retired: name == "gone.staging"}))
		}
		uses, err := w.SchemaUses(ctx, profile.Scope{})
		w.must(err)
		if !slices.Equal(uses, []store.SchemaUse{{ID: "numbers.v1", Profiles: 2}}) {
			t.Errorf("the uses are %+v", uses)
		}
		under, total, err := w.ProfilesUnder(ctx, "numbers.v1", profile.Scope{Profiles: []string{"b.*"}}, 10)
		w.must(err)
		if total != 1 || len(under) != 1 || under[0].Name != "b.staging" {
			t.Errorf("within a scope: %d, %+v", total, under)
		}
		if registered, err := w.Registered(ctx, []string{"numbers.v1"}); err != nil || len(registered) != 0 {
			t.Errorf("registered are %v, %v", registered, err)
		}
		if approved, err := w.ApprovedVersions(ctx); err != nil || len(approved) != 0 {
			t.Errorf("approved are %v, %v", approved, err)
		}
	})
}
