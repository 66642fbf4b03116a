package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/reconciler"
)

// A commit that comes in the middle of a canary takes over, and so does the
// newest of ten that come at once. What was left of the older one counts
// against the share.
func TestNewestCommitWins(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	one := s.change(byHand, "servus")
	d := s.awaitsPromotion(one, 1)
	if _, err := s.api.PromoteDeployment(t.Context(), d.ID, "looks good"); err != nil {
		t.Fatal(err)
	}
	s.awaitsPromotion(one, 2)

	var ten []string
	for i := range 10 {
		s.repo.Write(shopFile, shopWith(automatic, fmt.Sprintf("greeting: moin-%d", i)))
		ten = append(ten, s.repo.Commit(fmt.Sprintf("Greet with moin-%d", i)))
	}
	s.repo.Push()
	last := ten[len(ten)-1]
	newest := s.concludes(last, "Completed")
	s.everywhere(newest.ConfigVersion)
	s.concludes(one, "Superseded")

	page, err := s.api.Versions(t.Context(), shop, client.List{Limit: 50})
	if err != nil || page.Total != 12 {
		t.Errorf("%d versions were made (%v), want one for each of 12 commits", page.Total, err)
	}
	for _, commit := range ten[:9] {
		if c := s.status(commit, "sluice/"+shop); !strings.Contains(c.Description, "superseded") {
			t.Errorf("a commit that was overtaken says %s: %s", c.State, c.Description)
		}
		if n := len(s.deployments(client.DeploymentFilter{Commit: commit})); n != 0 {
			t.Errorf("a commit that was overtaken was deployed")
		}
	}
	s.holds()
}

// A rewritten branch is compared as a tree, and said so; a deleted one changes
// nothing but what is said of the source.
func TestRewrittenAndDeletedBranch(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	lost := s.change(automatic, "servus")
	s.concludes(lost, "Completed")

	s.repo.Git("reset", "--quiet", "--hard", s.first)
	s.repo.Write(shopFile, shopWith(automatic, "greeting: moin"))
	rewritten := s.repo.Commit("Rewritten history")
	s.repo.ForcePush()
	d := s.concludes(rewritten, "Completed")
	s.everywhere(d.ConfigVersion)
	if d.ConfigVersion != "1.0.2" {
		t.Errorf("the rewritten branch made %s, want a version above what was", d.ConfigVersion)
	}
	page, err := s.api.Audit(t.Context(), client.AuditFilter{EventType: reconciler.FactSourceRewritten})
	if err != nil || page.Total != 1 {
		t.Errorf("the audit log tells of %d rewritten branches, %v", page.Total, err)
	}

	before := len(s.deployments(client.DeploymentFilter{}))
	s.repo.Git("push", "--quiet", "origin", "main:refs/heads/other")
	s.repo.Git("--git-dir", s.repo.Bare, "update-ref", "-d", "refs/heads/main")
	s.sourceSays("branch main is gone")
	config, err := s.api.Config(t.Context(), shop)
	if err != nil || config.Retired || config.CurrentVersion != "1.0.2" {
		t.Errorf("without the branch the profile is %+v, %v", config, err)
	}
	if after := len(s.deployments(client.DeploymentFilter{})); after != before {
		t.Error("the deleted branch was deployed")
	}
	s.repo.Push()
	s.sourceSays("")
	s.everywhere("1.0.2")
	s.holds()
}

// sourceSays waits until the source's last error holds the words; none for no error.
func (s *scene) sourceSays(words string) {
	s.t.Helper()
	eventually(s.t, "the source to say "+words, func() bool {
		sources, err := s.api.Sources(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return len(sources) == 1 && strings.Contains(sources[0].LastError, words) && (words != "" || sources[0].LastError == "")
	})
}

// A commit that would retire most profiles is held for a person; one file
// retires its profile and nothing that runs is touched.
func TestMassDeletionWaitsForAPerson(t *testing.T) {
	t.Parallel()
	names := []string{"cart.staging", "search.staging", "mail.staging"}
	s := empty(t, testenv.Binary(t), func(s *stage) {
		s.repo.Write(shopFile, shopWith(automatic, "greeting: hello"))
		for _, name := range names {
			s.repo.Write(strings.ReplaceAll(name, ".", "/")+".yaml", named(name))
		}
		s.first = s.repo.Commit("Four profiles")
		s.repo.Push()
	})
	s.fleet = join(t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	s.status(s.first, "sluice")

	for _, name := range names {
		s.repo.Remove(strings.ReplaceAll(name, ".", "/") + ".yaml")
	}
	deleted := s.repo.Commit("Delete too much")
	s.repo.Push()
	s.syncsTo(deleted)
	page, err := s.api.Deployments(t.Context(), client.DeploymentFilter{Commit: deleted})
	if err != nil || page.Total != len(names) {
		t.Fatalf("%d retirements wait, %v; want %d", page.Total, err, len(names))
	}
	for _, d := range page.Items {
		if d.Kind != "Retirement" || d.Awaiting != "Approval" {
			t.Errorf("%s: a %s that awaits %q: %s", d.ConfigName, d.Kind, d.Awaiting, d.Explanation)
		}
	}
	if _, err := s.api.PromoteDeployment(t.Context(), page.Items[0].ID, "this one, yes"); err != nil {
		t.Fatal(err)
	}
	retired := func() (out []string) {
		for _, name := range names {
			config, err := s.api.Config(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if config.Retired {
				out = append(out, name)
			}
		}
		return out
	}
	eventually(t, "the approved retirement", func() bool { return len(retired()) > 0 })
	if got := retired(); len(got) != 1 || got[0] != page.Items[0].ConfigName {
		t.Errorf("retired are %v, want the approved one", got)
	}
	if s.fleet.running("1.0.0") != members {
		t.Error("what runs was touched")
	}
	s.stop()
}
