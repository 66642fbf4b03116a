package reconciler_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// proposals is a forge that takes proposals.
type proposals struct {
	forge.Host
	taken []forge.Proposal
}

func (p *proposals) Propose(_ context.Context, one forge.Proposal) (forge.PullRequest, error) {
	p.taken = append(p.taken, one)
	return forge.PullRequest{Number: 8, URL: "https://forge.example.com/pulls/8"}, nil
}

// records lets the store in memory be that of reverts.
type records struct{ *fakeStore }

func (r records) Profile(ctx context.Context, name string) (profile.Record, error) {
	named, err := r.NamedProfiles(ctx, []string{name})
	if len(named) == 1 {
		return named[0], nil
	}
	return profile.Record{}, errors.Join(err, rollout.ErrNotFound)
}

// behind is the mirror of a replica that last fetched when the first commit was
// the newest: another one synced the others.
func (w *world) behind() *gitsource.Mirror {
	w.t.Helper()
	m := w.mirror(gitsource.Limits{})
	if _, err := m.Fetch(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestReverts(t *testing.T) {
	t.Parallel()
	first := files{
		"profiles/base.yaml": base("y: 1"), "profiles/a.yaml": doc("a", "x: 1", "extends: [base.yaml]"), "profiles/b.yaml": doc("b", "x: 1"),
	}
	hold := rollout.Hold{Profile: "a", PinnedVersion: "1.0.0", RefusedVersion: "1.0.1", RefusedHash: "h", Reason: "sick @all\n```", Actor: "gate", CreatedAt: time.Unix(1, 0)}
	for name, c := range map[string]struct {
		bad  files
		want map[string]string // content by path; "" deletes
	}{
		"the profile's own file":    {files{"profiles/a.yaml": doc("a", "x: 2", "extends: [base.yaml]")}, map[string]string{"profiles/a.yaml": first["profiles/a.yaml"]}},
		"what it extends":           {files{"profiles/base.yaml": base("y: 2")}, map[string]string{"profiles/base.yaml": first["profiles/base.yaml"]}},
		"and nothing of the others": {files{"profiles/a.yaml": doc("a", "x: 2", "extends: [base.yaml]"), "profiles/b.yaml": doc("b", "x: 2")}, map[string]string{"profiles/a.yaml": first["profiles/a.yaml"]}},
		"what came with it": {
			files{"profiles/a.yaml": doc("a", "x: 1", "extends: [base.yaml, more.yaml]"), "profiles/more.yaml": base("z: 1")},
			map[string]string{"profiles/a.yaml": first["profiles/a.yaml"], "profiles/more.yaml": ""},
		},
		"nothing, when Git says it already": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed(first)
			git := w.behind()
			if c.bad != nil {
				w.commit("bad", c.bad)
				w.sync()
			}
			host := &proposals{}
			r := &reconciler.Reverts{Source: "configs", Branch: "main", Host: host, Git: git, Store: records{w.store}}
			url, err := r.Propose(t.Context(), hold)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.want) == 0 {
				if url != "" || len(host.taken) != 0 {
					t.Errorf("proposed %q, %+v", url, host.taken)
				}
				return
			}
			if url == "" || len(host.taken) != 1 {
				t.Fatalf("proposed %q, %d proposals", url, len(host.taken))
			}
			p := host.taken[0]
			if len(p.Files) != len(c.want) {
				t.Errorf("changes %d files, want %d", len(p.Files), len(c.want))
			}
			for path, want := range c.want {
				if got, ok := p.Files[path]; !ok || (got == nil) != (want == "") || got != nil && *got != want {
					t.Errorf("%s is not what it was", path)
				}
			}
			branch := "sluice/revert-a-"
			if c.want["profiles/a.yaml"] == "" {
				branch = "sluice/revert-" // of all that extend it
			}
			if p.From != w.run("rev-parse", "main") || p.Base != "main" || !strings.HasPrefix(p.Branch, branch) {
				t.Errorf("from %s of %s as %s", p.From, p.Base, p.Branch)
			}
			if strings.Contains(strings.ReplaceAll(p.Body, "````text\nsick @all ```\n````", ""), "@all") {
				t.Errorf("the reason became markup:\n%s", p.Body)
			}
		})
	}
}

// A change of what hundreds extend is reverted by one pull request, and the same change again by another one.
func TestOneRevertForAllThatExtendAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := files{"profiles/base.yaml": base("y: 1")}
	for _, name := range []string{"a", "b", "c"} {
		first["profiles/"+name+".yaml"] = doc(name, "x: 1", "extends: [base.yaml]")
	}
	w.deployed(first)
	host := &proposals{}
	r := &reconciler.Reverts{Source: "configs", Branch: "main", Host: host, Git: w.behind(), Store: records{w.store}}
	propose := func(refused string) {
		for _, name := range []string{"a", "b", "c"} {
			if _, err := r.Propose(t.Context(), rollout.Hold{Profile: name, PinnedVersion: "1.0.0", RefusedVersion: refused, Reason: "sick", CreatedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.commit("bad", files{"profiles/base.yaml": base("y: 2")})
	w.sync()
	propose("1.0.1")
	w.commit("worse", files{"profiles/base.yaml": base("y: 3")})
	w.sync()
	propose("1.0.2")
	if len(host.taken) != 6 {
		t.Fatalf("%d proposals", len(host.taken))
	}
	for i, p := range host.taken {
		same := host.taken[i/3*3]
		if p.Branch != same.Branch || p.Title != "Revert profiles/base.yaml" || p.Message != same.Message || p.Body != same.Body {
			t.Errorf("proposal %d is another one than that of the first: %+v", i, p)
		}
	}
	if host.taken[0].Branch == host.taken[3].Branch {
		t.Error("another change is reverted by the same branch")
	}
}

// A replica that did not sync the branch itself checks pull requests all the same.
func TestAReplicaThatIsBehindChecks(t *testing.T) {
	t.Parallel()
	w := newPullWorld(t)
	first := w.commit("start", files{"profiles/a.yaml": doc("a", "x: 1")})
	w.sync()
	git := w.behind()
	w.commit("more", files{"profiles/b.yaml": doc("b", "x: 1")})
	w.sync()
	w.propose(7, first, files{"profiles/a.yaml": doc("a", "x: 2")})
	w.r = w.reconciler(func(o *reconciler.Options) {
		o.Git, o.Host, o.PullGit, o.PullRequestChecks = git, w.host, reconciler.PullsOf(git), true
	})
	if res := w.checks(); res != (reconciler.PullsResult{Checked: 1}) {
		t.Fatalf("the pass did %+v", res)
	}
	if s, _ := w.told(7); s.State != rollout.StatusSuccess {
		t.Errorf("told %s: %s", s.State, s.Description)
	}
}
