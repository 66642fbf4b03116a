package reconciler_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// paying is a profile for Production under a schema that no file has.
func paying(retries string) files {
	return files{"profiles/a.yaml": strings.Replace(doc("pay", "retries: "+retries, "schema: pay"), "Staging", "Production", 1)}
}

const retriesUpTo = `{"properties": {"retries": {"type": "integer", "maximum": `

// A profile is checked by a schema that was registered by API when its
// repository has no file for it, and goes to Production once that is approved.
func TestARegisteredSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("start", paying("3"))
	w.sync()
	w.expect(`
		problem pay: profiles/a.yaml:6:9: schema pay does not exist: schemas/pay.yaml, .yml or .json ($.schema)
		status c1 sluice/pay failure: profiles/a.yaml:6:9: schema pay does not exist: schemas/pay.yaml, .yml or .json ($.schema)
		facts profile.invalid:pay`)

	// Registering it mends the profile; nothing starts before it is approved.
	w.store.register(t, "pay", retriesUpTo+`5}}}`, profile.SchemaDraft)
	w.sync()
	w.expect(`
		profile pay at profiles/a.yaml
		version pay 1.0.0 by c1
		problem pay: profiles/a.yaml: not deployed: 1.0.0: schema pay 1.0.0 is Draft, and Production deploys only against an Approved one: an Admin approves it with sluice schema approve pay --version 1.0.0
		status c1 sluice/pay failure: profiles/a.yaml: not deployed: 1.0.0: schema pay 1.0.0 is Draft, and Production deploys only against an Approved one: an Admin approves it …
		facts source.schemas-seen:configs profile.created:pay version.created:pay@1.0.0 deployment.refused:pay`)
	if v := w.store.data.versions["pay"][0]; v.SchemaHash != w.store.data.schemas[0].Hash {
		t.Errorf("the version was checked by %s", v.SchemaHash)
	}
	w.sync()
	w.expect(``) // a quiet pass

	w.store.judge("pay", profile.SchemaApproved)
	w.sync()
	w.expect(`
		deployment pay 1.0.0 by c1
		mended profiles/a.yaml
		status c1 sluice/pay pending: (deployment)
		facts deployment.created:pay source.schemas-seen:configs`)
	w.store.finish(t, "pay", rollout.Completed)
	w.report()

	// An approved edition that the profile does not satisfy is a problem of it, and touches nothing that runs.
	w.store.register(t, "pay", retriesUpTo+`2}}}`, profile.SchemaApproved)
	w.sync()
	w.expect(`
		problem pay: profiles/a.yaml:7:17: maximum: got 3, want 2 ($.data.retries)
		facts source.schemas-seen:configs profile.invalid:pay`)

	// The next version must satisfy it.
	w.commit("more", paying("4"))
	w.sync()
	w.expect(`
		problem pay: profiles/a.yaml:7:17: maximum: got 4, want 2 ($.data.retries)
		status c2 sluice/pay failure: profiles/a.yaml:7:17: maximum: got 4, want 2 ($.data.retries)
		facts profile.invalid:pay`)
	w.commit("fewer", paying("2"))
	w.sync()
	w.expect(`
		version pay 1.0.1 by c3
		deployment pay 1.0.1 by c3 over 1.0.0
		mended profiles/a.yaml
		status c3 sluice/pay pending: (deployment)
		facts deployment.created:pay version.created:pay@1.0.1`)
}

// A file of the repository counts, also where a schema of its ID is registered.
func TestTheRepositorysSchemaWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.register(t, "pay", retriesUpTo+`1}}}`, profile.SchemaApproved)
	w.commit("start", files{"profiles/a.yaml": paying("3")["profiles/a.yaml"], "schemas/pay.yaml": "properties: {retries: {maximum: 5}}\n"})
	w.sync()
	w.expect(`
		profile pay at profiles/a.yaml
		version pay 1.0.0 by c1
		deployment pay 1.0.0 by c1
		status c1 sluice/pay pending: (deployment)
		facts deployment.created:pay profile.created:pay version.created:pay@1.0.0`)
	w.sync() // the registered one concerns the profile by name alone
	w.expect(`facts source.schemas-seen:configs`)
	// The file leaves: the registered one takes its place.
	w.commit("gone", files{"schemas/pay.yaml": gone})
	w.sync()
	w.expect(`
		problem pay: profiles/a.yaml:7:17: maximum: got 3, want 1 ($.data.retries)
		status c2 sluice/pay failure: profiles/a.yaml:7:17: maximum: got 3, want 1 ($.data.retries)
		facts profile.invalid:pay`)
}

// What a Draft checked does not slip into Production when a file takes the
// schema's place: it is other data that is deployed then.
func TestADraftsVersionStaysBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.register(t, "pay", retriesUpTo+`5}}}`, profile.SchemaPending)
	w.commit("start", paying("3"))
	w.sync()
	w.report()
	w.commit("a file", files{"schemas/pay.yaml": "properties: {retries: {maximum: 5}}\n"})
	w.sync()
	w.expect(`
		status c2 sluice/pay failure: profiles/a.yaml: not deployed: 1.0.0: schema pay 1.0.0 is PendingApproval, and Production deploys only against an Approved one: an Admin ap…
		facts deployment.refused:pay`)
	w.commit("other data", paying("4"))
	w.sync()
	w.expect(`
		version pay 1.0.1 by c3
		deployment pay 1.0.1 by c3
		mended profiles/a.yaml
		status c3 sluice/pay pending: (deployment)
		facts deployment.created:pay version.created:pay@1.0.1`)
}

// A pull request hears what its merge would: of a schema that nobody approved,
// and of one that is on its way out.
func TestPullRequestsUnderRegisteredSchemas(t *testing.T) {
	t.Parallel()
	w := newPullWorld(t)
	w.store.register(t, "pay", retriesUpTo+`5}}}`, profile.SchemaDraft)
	w.commit("start", files{"profiles/b.yaml": doc("b", "x: 1")})
	w.sync()
	w.propose(7, "main", paying("3"))
	w.checks()
	status, comment := w.told(7)
	if status.State != rollout.StatusFailure || !strings.Contains(comment.Body, "schema pay 1.0.0 is Draft") {
		t.Errorf("told %+v\n%s", status, comment.Body)
	}
	w.store.judge("pay", profile.SchemaDeprecated)
	w.propose(8, "main", files{"profiles/c.yaml": doc("c", "retries: 3", "schema: pay")})
	w.checks()
	if status, comment = w.told(8); status.State != rollout.StatusSuccess || !strings.Contains(comment.Body, "Deprecated") {
		t.Errorf("told %+v\n%s", status, comment.Body)
	}
}
