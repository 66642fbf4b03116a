package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
)

const always = ":1:panic" // at a crash point

// The steps of one profile panic, whoever restarts the daemon. Another profile
// is rolled out meanwhile, the attempts are counted past each restart, and after
// five of them the deployment is set aside. A person still takes it back.
func TestAProfileThatPanicsIsSetAside(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.CrashingBinary(t))
	s.stop()
	s.repo.Write("cart/staging.yaml", named("cart.staging"))
	commit := s.change(automatic, "servus")
	s.start("SLUICE_FAILPOINT=K6/" + shop + always)
	cart := newSidecar(t, s, "cart")
	cart.start()
	cart.loads("hello")
	s.completes(commit)

	aside := func() bool { return strings.Contains(s.deployed(commit).Explanation, "set aside after 5 attempts") }
	for restarts := 0; !aside(); restarts++ {
		eventually(t, "a panic", func() bool { return s.metric("sluice_engine_panics_total") > 0 || aside() })
		if restarts > 5 && !aside() {
			t.Fatal("the attempts are not counted")
		}
		s.stop() // hands the claim back: no lease is waited for
		s.start("SLUICE_FAILPOINT=K6/" + shop + always)
	}
	d := s.deployed(commit)
	if n := len(s.eventsOf(d, rollout.FactQuarantined)); n != 1 || final(d.Status) {
		t.Errorf("it is %s, and was set aside %d times by the audit log", d.Status, n)
	}
	if n := s.fleet.running(d.ConfigVersion); n > share(0) {
		t.Errorf("%d instances run it; in its phase %d may", n, share(0))
	}
	if _, err := s.api.RollbackDeployment(t.Context(), d.ID, "it is stuck"); err != nil {
		t.Fatal(err)
	}
	s.everywhere("1.0.0")
	s.stop()
	s.start()
	s.concludes(commit, "RolledBack")
	s.holds()
}

// One source's pass panics. It says so, and the other source is synced.
func TestASourceThatPanicsStopsNoOther(t *testing.T) {
	t.Parallel()
	other := testenv.NewRepo(t)
	other.Write("cart/staging.yaml", named("cart.staging"))
	commit := other.Commit("Open the cart")
	other.Push()
	s := perform(t, testenv.CrashingBinary(t))
	s.stop()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	text := fmt.Sprintf("sources:\n  - {id: other, url: \"file://%s\", poll_interval: 200ms}\n", other.Bare)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--config", file)
	mine := s.change(automatic, "servus")
	s.start("SLUICE_FAILPOINT=K3/configs" + always)
	s.status(commit, "sluice")
	eventually(t, "more than one panic", func() bool { return s.metric(`sluice_source_panics_total{source="configs"}`) > 1 })
	says := func() (errors []string) {
		sources, err := s.api.Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			errors = append(errors, source.ID+": "+source.LastError)
		}
		return errors
	}
	eventually(t, "the source to say so", func() bool { return strings.Contains(strings.Join(says(), "\n"), "configs: ") && len(says()) == 2 })
	if got := strings.Join(says(), "\n"); !strings.Contains(got, "panicked") || !strings.Contains(got, "other: ") {
		t.Errorf("the sources say:\n%s", got)
	}
	if n := len(s.deployments(client.DeploymentFilter{Commit: mine})); n != 0 {
		t.Error("a pass that panicked left a deployment")
	}
	s.stop()
	s.start()
	s.concludes(mine, "Completed")
	s.everywhere("1.0.1")
	s.stop()
}

// Posting one status panics. The others are posted, the rollout is not touched,
// and the status is posted once the bug is gone.
func TestAPosterThatPanicsStopsNoOther(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.CrashingBinary(t))
	s.stop()
	s.start("SLUICE_FAILPOINT=K9/sluice/" + shop + always)
	commit := s.change(automatic, "servus")
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.status(commit, "sluice")
	var stuck wire.CommitStatus
	eventually(t, "the panic to be shown", func() bool {
		statuses, err := s.api.Statuses(t.Context(), commit)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range statuses {
			if c.Context == "sluice/"+shop {
				stuck = c
			}
		}
		return strings.Contains(stuck.PostError, "panicked")
	})
	if stuck.PostedAt != nil || s.metric("sluice_outbox_panics_total") < 1 {
		t.Errorf("the status is %+v, %v panics were counted", stuck, s.metric("sluice_outbox_panics_total"))
	}
	s.stop()
	s.start()
	s.status(commit, "sluice/"+shop)
	s.holds()
}
