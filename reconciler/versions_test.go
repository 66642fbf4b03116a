package reconciler_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func TestFirstSyncTakesTheHeadAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit("one", files{
		"profiles/a.yaml": doc("a", "x: 1"), "profiles/old.yaml": doc("old", "x: 1"), "outside.yaml": doc("outside", "x: 1"),
	})
	w.commit("two", files{
		"profiles/a.yaml": doc("a", "x: 2"), "profiles/old.yaml": gone, "profiles/b/b.yaml": doc("b", "y: 1", "version: 3.0.0"),
		"profiles/notes.yaml": "not: ours\n", "profiles/base.yaml": base("z: 1"), "profiles/README.md": "read me",
	})
	if res := w.sync(); !res.Whole || !res.Changed || res.Versions != 2 || res.Deployments != 2 {
		t.Errorf("result %+v, want the whole tree with 2 versions and 2 deployments", res)
	}
	w.expect(`
		profile a at profiles/a.yaml
		version a 1.0.0 by c2
		profile b at profiles/b/b.yaml
		version b 3.0.0 by c2
		deployment a 1.0.0 by c2
		deployment b 3.0.0 by c2
		status c2 sluice/a pending: (deployment)
		status c2 sluice/b pending: (deployment)
		facts deployment.created:a deployment.created:b profile.created:a version.created:a@1.0.0 profile.created:b version.created:b@3.0.0`)
	if w.woken != 1 {
		t.Errorf("the engine was woken %d times, want once", w.woken)
	}
}

func TestVersionAndDeploymentSayWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{
		"profiles/a.yaml":     doc("a", "x: 1", "schema: a.v1", "targets: {labels: {region: east}}"),
		"schemas/a.v1.yaml":   "type: object\n",
		"profiles/other.yaml": doc("other", "x: 1"),
	})
	sha := w.commit("Raise x (#12)\n\nBecause.", files{"profiles/a.yaml": doc("a", "x: 2", "schema: a.v1", "targets: {labels: {region: east}}")})
	w.sync()

	vs := w.store.data.versions["a"]
	v := vs[len(vs)-1]
	const who = "Ada <ada@example.com>"
	if v.Number != "1.0.1" || v.Commit != sha || v.Author != who || v.CreatedBy != who || v.Message != "Raise x (#12)" ||
		v.PullRequest != 12 || v.Source != "configs" || v.SchemaID != "a.v1" || len(v.SchemaHash) != 64 ||
		v.ValidatedAt != w.store.now || v.SizeBytes != len(`{"x":2}`) || v.Hash != hashOf(`"x": 2`) {
		t.Errorf("version %+v", v)
	}
	d := w.store.data.deployments[len(w.store.data.deployments)-1]
	if d.Version != "1.0.1" || d.Hash != v.Hash || d.Previous != "1.0.0" || d.PreviousHash != vs[0].Hash || d.Kind != rollout.Forward ||
		d.Selector.Service != "pay" || d.Selector.Environment != profile.Staging || d.Selector.Labels["region"] != "east" ||
		d.Strategy.Type != profile.Rolling || !d.Health.Enabled || d.Source != "configs" || d.Commit != sha || d.PullRequest != 12 ||
		d.InitiatedBy != who || d.Cause != "Raise x (#12)" || d.CreatedAt != w.store.now || d.Proven {
		t.Errorf("deployment %+v", d)
	}
	if r := w.store.data.profiles["a"]; r.DesiredVersion != "1.0.1" || r.CurrentVersion != "1.0.0" || r.CreatedBy != who {
		t.Errorf("record %+v", r)
	}
	for _, f := range w.store.data.facts {
		if f.Type == "version.created" && f.Actor != who || f.Type == "source.synced" && f.Actor != "sluice" {
			t.Errorf("fact %+v has the wrong actor", f)
		}
	}
}

func TestCommitsOfOnePush(t *testing.T) {
	t.Parallel()
	start := files{"profiles/a.yaml": doc("a", "x: 1, y: [1]"), "profiles/b.yaml": doc("b", "x: 1")}
	type push struct {
		rule    string
		commits []files
		want    string
	}
	for _, c := range []push{
		{
			"each makes its version, the newest is deployed",
			[]files{
				{"profiles/a.yaml": doc("a", "x: 2, y: [1]")},
				{"profiles/a.yaml": doc("a", "x: 2, y: [1], z: 1")},
				{"profiles/a.yaml": doc("a", "x: two, y: [1], z: 1"), "profiles/b.yaml": doc("b", "x: 2")},
			},
			`version a 1.0.1 by c2 superseded
			version a 1.1.0 by c3 superseded
			version a 2.0.0 by c4
			version b 1.0.1 by c4
			deployment a 2.0.0 by c4 over 1.0.0
			deployment b 1.0.1 by c4 over 1.0.0
			status c2 sluice/a success: superseded by 2.0.0 in the same push
			status c3 sluice/a success: superseded by 2.0.0 in the same push
			status c4 sluice/a pending: (deployment)
			status c4 sluice/b pending: (deployment)
			facts deployment.created:a deployment.created:b version.created:a@1.0.1 version.created:a@1.1.0 version.created:a@2.0.0 version.created:b@1.0.1`,
		},
		{
			"a commit that touches no profile is a success",
			[]files{{"README.md": "hello"}, {"profiles/notes.txt": "x"}, {"profiles/some.yaml": "foreign: 1\n"}},
			`status c2 sluice success: no profile changed
			status c3 sluice success: no profile changed
			status c4 sluice success: no profile changed`,
		},
		{
			"no change of effective data makes no version",
			[]files{{"profiles/a.yaml": "# comment\n" + doc("a", "y: [1.0], x: 1")}},
			`status c2 sluice/a success: no change in effective data`,
		},
		{
			"the definition changes without a version",
			[]files{{"profiles/a.yaml": doc("a", "x: 1, y: [1]", "description: new", "settings: {channel: ops}")}},
			`status c2 sluice/a success: definition updated
			facts profile.defined:a`,
		},
		{
			"the newest definition wins over the version's own",
			[]files{
				{"profiles/a.yaml": doc("a", "x: 2, y: [1]")},
				{"profiles/a.yaml": doc("a", "x: 2, y: [1]", "strategy: {type: Direct}")},
			},
			`version a 1.0.1 by c2
			deployment a 1.0.1 by c2 over 1.0.0
			status c2 sluice/a pending: (deployment)
			status c3 sluice/a success: definition updated
			facts deployment.created:a version.created:a@1.0.1 profile.defined:a`,
		},
		{
			"an explicit version is taken",
			[]files{{"profiles/a.yaml": doc("a", "x: 2, y: [1]", "version: 7.0.0")}},
			`version a 7.0.0 by c2
			deployment a 7.0.0 by c2 over 1.0.0
			status c2 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@7.0.0`,
		},
		{
			"an explicit version that does not rise is refused at its place",
			[]files{{"profiles/a.yaml": doc("a", "x: 2, y: [1]", "version: 0.9.0"), "profiles/b.yaml": doc("b", "x: 2")}},
			`version b 1.0.1 by c2
			deployment b 1.0.1 by c2 over 1.0.0
			problem a: profiles/a.yaml:6:10: version 0.9.0 does not rise above 1.0.0: raise it, or remove it and it is derived ($.version)
			status c2 sluice/a failure: profiles/a.yaml:6:10: version 0.9.0 does not rise above 1.0.0: raise it, or remove it and it is derived ($.version)
			status c2 sluice/b pending: (deployment)
			facts deployment.created:b profile.invalid:a version.created:b@1.0.1`,
		},
		{
			"an explicit version without other data makes none",
			[]files{{"profiles/a.yaml": doc("a", "x: 1, y: [1]", "version: 0.1.0")}},
			`status c2 sluice/a success: no change in effective data`,
		},
		{
			"a new file is a new profile",
			[]files{{"profiles/c.yml": doc("c", "x: 1")}},
			`profile c at profiles/c.yml
			version c 1.0.0 by c2
			deployment c 1.0.0 by c2
			status c2 sluice/c pending: (deployment)
			facts deployment.created:c profile.created:c version.created:c@1.0.0`,
		},
		{
			"content that completed before gets a new number and is proven",
			[]files{
				{"profiles/a.yaml": doc("a", "x: 2, y: [1]")},
				{"profiles/a.yaml": doc("a", "x: 1, y: [1]")},
			},
			`version a 1.0.1 by c2 superseded
			version a 1.0.2 by c3
			deployment a 1.0.2 by c3 over 1.0.0 proven
			status c2 sluice/a success: superseded by 1.0.2 in the same push
			status c3 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.1 version.created:a@1.0.2`,
		},
		{
			"a change that a person must see first is guarded",
			[]files{{"profiles/a.yaml": doc("a", "x: 1, y: [1], z: "+strings.Repeat("z", 2000))}},
			`version a 1.1.0 by c2
			deployment a 1.1.0 by c2 over 1.0.0, guard: data grew from 15 to 2022 bytes
			status c2 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.1.0`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(start)
			for _, fs := range c.commits {
				w.commit("change", fs)
			}
			w.sync()
			w.expect(c.want)
		})
	}
}

func TestGuardComparesWithWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	long := strings.Repeat("z", 2000)
	w.commit("grow", files{"profiles/a.yaml": doc("a", "x: 1, z: "+long)})
	w.sync()
	w.commit("touch what was never approved", files{"profiles/a.yaml": doc("a", "x: 2, z: "+long)})
	w.sync()
	d := w.store.data.deployments[len(w.store.data.deployments)-1]
	if d.Version != "1.1.1" || d.Guard == "" {
		t.Errorf("deployment of %s has the guard %q, want 1.1.1 guarded against 1.0.0", d.Version, d.Guard)
	}
}

func TestANewPushSupersedesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed(files{"profiles/a.yaml": doc("a", "x: 1")})
	w.commit("one", files{"profiles/a.yaml": doc("a", "x: 2")})
	w.sync()
	w.report()
	w.commit("two", files{"profiles/a.yaml": doc("a", "x: 3")})
	w.sync()
	w.expect(`
		version a 1.0.2 by c3
		deployment a 1.0.1 is Superseded: superseded by 1.0.2
		deployment a 1.0.2 by c3 over 1.0.0
		status c3 sluice/a pending: (deployment)
		facts deployment.created:a version.created:a@1.0.2`)
}

func TestWhatAFileRestsOn(t *testing.T) {
	t.Parallel()
	start := files{
		"profiles/a.yaml":           doc("a", "x: 1", "extends: [shared/base.yaml]", "schema: s.v1"),
		"profiles/b.yaml":           doc("b", "x: 1, y: 1", "extends: [shared/base.yaml]"),
		"profiles/c.yaml":           doc("c", "x: 1"),
		"profiles/shared/base.yaml": base("y: 1"),
		"schemas/s.v1.yaml":         "type: object\n",
	}
	for _, c := range []struct {
		rule   string
		change files
		want   string
	}{
		{
			"a changed base makes versions of those whose effective data it changes",
			files{"profiles/shared/base.yaml": base("y: 2")},
			`version a 1.0.1 by c2
			deployment a 1.0.1 by c2 over 1.0.0
			status c2 sluice/a pending: (deployment)
			facts deployment.created:a version.created:a@1.0.1`,
		},
		{
			"a changed schema validates its profiles again",
			files{"schemas/s.v1.yaml": "properties: {x: {type: string}}\n"},
			`problem a: profiles/a.yaml:8:11: got number, want string ($.data.x)
			status c2 sluice/a failure: profiles/a.yaml:8:11: got number, want string ($.data.x)
			facts profile.invalid:a`,
		},
		{
			"a schema that still holds changes nothing",
			files{"schemas/s.v1.yaml": "type: object\nproperties: {x: {type: integer}}\n"},
			`status c2 sluice success: no profile changed`,
		},
		{
			"a schema that comes to lie nearer is found",
			files{"profiles/schemas/s.v1.yaml": "properties: {x: {type: string}}\n"},
			`problem a: profiles/a.yaml:8:11: got number, want string ($.data.x)
			status c2 sluice/a failure: profiles/a.yaml:8:11: got number, want string ($.data.x)
			facts profile.invalid:a`,
		},
		{
			"a base that goes missing breaks those that extend it",
			files{"profiles/shared/base.yaml": gone},
			`problem a: profiles/a.yaml:6:11: extends profiles/shared/base.yaml: file does not exist ($.extends[0])
			problem b: profiles/b.yaml:6:11: extends profiles/shared/base.yaml: file does not exist ($.extends[0])
			status c2 sluice/a failure: profiles/a.yaml:6:11: extends profiles/shared/base.yaml: file does not exist ($.extends[0])
			status c2 sluice/b failure: profiles/b.yaml:6:11: extends profiles/shared/base.yaml: file does not exist ($.extends[0])
			facts profile.invalid:a profile.invalid:b`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(start)
			w.commit("change", c.change)
			w.sync()
			w.expect(c.want)
		})
	}
}
