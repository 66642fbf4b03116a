package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// killed brings a stage to the moment where its daemon killed itself at a
// crash point: armed with it, the daemon met what drive did.
func killed(t *testing.T, point string, drive func(s *stage)) *stage {
	t.Helper()
	s := perform(t, testenv.CrashingBinary(t))
	s.stop()
	s.dies(point, drive)
	return s
}

func (s *stage) dies(point string, drive func(s *stage)) {
	s.t.Helper()
	s.start("SLUICE_FAILPOINT=" + point)
	drive(s)
	s.killedItself()
}

// change is a commit that nothing is wrong with.
func (s *scene) change(pace, greeting string) string {
	s.t.Helper()
	return s.commit("Greet with "+greeting, shopWith(pace, "greeting: "+greeting))
}

// once checks that every instance applied the version one time.
func (s *scene) once(version string) {
	s.t.Helper()
	for _, m := range s.fleet.members {
		n := 0
		for _, e := range m.history() {
			if e.version == version {
				n++
			}
		}
		if n != 1 {
			s.t.Errorf("instance %s applied %s %d times, want once", m.name, version, n)
		}
	}
}

// K1: a new head was seen and nothing of it stored. Another commit lands while
// nobody looks. (That a webhook's sender got no answer belongs to webhooks, as
// does K2.)
func TestKilledBeforeACommitWasFetched(t *testing.T) {
	t.Parallel()
	var one string
	s := killed(t, "K1", func(s *stage) { one = s.change(automatic, "servus") })
	two := s.change(automatic, "moin")
	s.start()
	s.concludes(two, "Completed")
	s.everywhere("1.0.2")
	s.once("1.0.2")
	page, err := s.api.Versions(t.Context(), shop, client.List{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 3 || page.Items[0].Commit != two || page.Items[1].Commit != one || !page.Items[1].Superseded {
		t.Errorf("the versions are %+v, want one a commit and the middle one superseded", page.Items)
	}
	if n := len(s.deployments(client.DeploymentFilter{Commit: one})); n != 0 {
		t.Errorf("the superseded commit was deployed %d times", n)
	}
	if c := s.status(one, "sluice/"+shop); c.State != "success" {
		t.Errorf("the superseded commit ends with %s: %s", c.State, c.Description)
	}
	s.holds()
}

// K3: the mirror is a cache. It is left with half a pack and a broken one.
func TestKilledInAFetch(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K3", func(s *stage) { commit = s.change(automatic, "servus") })
	packs, err := filepath.Glob(filepath.Join(s.data, "mirrors", "configs.git", "objects", "pack", "*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("the mirror has no packs: %v", err)
	}
	half := filepath.Join(filepath.Dir(packs[0]), "tmp_pack_left")
	if err := os.WriteFile(half, []byte("PACK\x00\x00\x00\x02"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pack := range packs {
		if err := os.Truncate(pack, 20); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("the half pack is still there: %v", err)
	}
	s.holds()
}

// K4: version, deployment, status and audit are one transaction.
func TestKilledWhileAVersionIsMade(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K4", func(s *stage) { commit = s.change(automatic, "servus") })
	s.offline(func(db *store.Store) {
		versions, _, err := db.Versions(t.Context(), shop, store.VersionFilter{})
		if err != nil || len(versions) != 1 {
			t.Errorf("half a transaction was kept: %d versions, %v", len(versions), err)
		}
		if head, err := db.SourceHead(t.Context(), "configs"); err != nil || head != s.first {
			t.Errorf("the source is synced to %s, %v; want %s", head, err, s.first)
		}
	})
	s.start()
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	s.holds()
}

// K13: of a large first sync one part was stored, and not the next.
func TestKilledBetweenThePartsOfAFirstSync(t *testing.T) {
	t.Parallel()
	const profiles, part = 600, 500
	s := &stage{t: t, scene: newScene(t)}
	s.daemon = newDaemon(t, testenv.CrashingBinary(t), s.sourceArgs()...)
	s.database = filepath.Join(s.data, "sluice.db")
	for i := range profiles - 1 {
		name := fmt.Sprintf("service-%04d.staging", i)
		s.repo.Write("services/"+name+".yaml", fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: service-%04d
environment: Staging
strategy: {type: Direct}
data: {n: %d}
`, name, i, i))
	}
	s.first = s.commit("Begin", shopWith(automatic, "greeting: hello"))
	s.dies("K13", func(*stage) {})
	s.offline(func(db *store.Store) {
		head, err := db.SourceHead(t.Context(), "configs")
		if parts, partsErr := db.SourceParts(t.Context(), "configs"); err != nil || partsErr != nil || head != "" || parts != 1 {
			t.Errorf("%d parts are stored (%v), and the head %q (%v); want one, and no head", parts, partsErr, head, err)
		}
		if made, deployed := counts(t, db); made != part || deployed != part {
			t.Errorf("%d profiles and %d deployments are stored, want %d of each", made, deployed, part)
		}
	})
	s.start()
	s.api = s.signIn()
	if c := s.status(s.first, rollout.AggregateContext); c.State != "success" {
		t.Errorf("the commit ends with %s: %s", c.State, c.Description)
	}
	s.stop()
	s.offline(func(db *store.Store) {
		if head, err := db.SourceHead(t.Context(), "configs"); err != nil || head != s.first {
			t.Errorf("the source is synced to %q, %v; want %s", head, err, s.first)
		}
		if made, deployed := counts(t, db); made != profiles || deployed != profiles {
			t.Errorf("%d profiles and %d deployments are stored, want %d of each", made, deployed, profiles)
		}
		if _, broken, err := db.VerifyAudit(t.Context()); err != nil || broken != nil {
			t.Errorf("the audit log is broken at %v, %v", broken, err)
		}
	})
}

// counts is how many profiles and deployments there are.
func counts(t *testing.T, db *store.Store) (profiles, deployments int) {
	t.Helper()
	_, profiles, err := db.Profiles(t.Context(), store.ProfileFilter{Limit: 1})
	_, deployments, deploymentsErr := db.Deployments(t.Context(), store.DeploymentFilter{Limit: 1})
	if err := errors.Join(err, deploymentsErr); err != nil {
		t.Fatal(err)
	}
	return profiles, deployments
}

// K5: the first instances were assigned, and nobody was told.
func TestKilledWithSomeInstancesAssigned(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K5", func(s *stage) { commit = s.change(automatic, "servus") })
	if n := s.fleet.running("1.0.1"); n > 1 {
		t.Errorf("%d instances run the version in the first phase", n)
	}
	s.start()
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	s.holds()
}

// K6: the gate was read and its judgement lost, in the first phase and later.
func TestKilledBetweenGateAndDecision(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K6:3", func(s *stage) { commit = s.change(automatic, "servus") })
	var before rollout.Deployment
	s.offline(func(db *store.Store) {
		var err error
		if before, err = db.ActiveDeployment(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
	})
	s.start()
	d := s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	if !d.StartedAt.Equal(before.StartedAt) {
		t.Errorf("the deployment started at %s, and after the restart at %s", before.StartedAt, d.StartedAt)
	}
	s.bakedAll(d)
	s.holds()
}

// bakedAll checks that each phase settled once, and was watched before the next.
func (s *scene) bakedAll(d wire.Deployment) {
	s.t.Helper()
	events := s.eventsOf(d, rollout.FactPhase)
	if len(events) != len(steps) {
		s.t.Fatalf("%d phases settled, want each of %d once", len(events), len(steps))
	}
	for i := range len(events) - 1 { // newest first
		if baked := events[i].CreatedAt.Sub(events[i+1].CreatedAt); baked < 200*time.Millisecond {
			s.t.Errorf("a phase followed the one before it after %s", baked)
		}
	}
}

// K7: a person's promotion was stored and taken up, and nobody was told.
func TestKilledAfterAPromotion(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K7", func(s *stage) {
		commit = s.change(byHand, "servus")
		d := s.awaitsPromotion(commit, 1)
		if _, err := s.api.PromoteDeployment(t.Context(), d.ID, "looks good"); err != nil {
			t.Log(err) // the daemon may be dead before it answers
		}
	})
	s.start()
	d := s.awaitsPromotion(commit, 2)
	if d.Percent != 30 || s.fleet.running("1.0.1") != 3 {
		t.Errorf("one promotion led to %d%%, %d instances", d.Percent, s.fleet.running("1.0.1"))
	}
	if n := len(s.eventsOf(d, rollout.FactPromoted)); n != 1 {
		t.Errorf("the promotion stands in the audit log %d times", n)
	}
	for phase := 2; phase < len(steps); phase++ {
		d = s.awaitsPromotion(commit, phase)
		if _, err := s.api.PromoteDeployment(t.Context(), d.ID, "go on"); err != nil {
			t.Fatal(err)
		}
	}
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	s.holds()
}

// K7 without a person: the engine itself went to the next phase.
func TestKilledBetweenPhases(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K7:2", func(s *stage) { commit = s.change(automatic, "servus") })
	s.start()
	d := s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	s.bakedAll(d)
	s.holds()
}

// K8: a rollback was stored, and nobody was told. It goes on, backward only,
// whoever asked for it.
func TestKilledInARollback(t *testing.T) {
	t.Parallel()
	for name, drive := range map[string]func(s *stage) string{
		"by the gate": func(s *stage) string {
			return s.commit("Greet badly", shopWith(automatic, "greeting: hello, failing: 60"))
		},
		"by a person": func(s *stage) string {
			commit := s.change(byHand, "servus")
			d := s.awaitsPromotion(commit, 1)
			if _, err := s.api.PromoteDeployment(s.t.Context(), d.ID, "looks good"); err != nil {
				s.t.Fatal(err)
			}
			s.awaitsPromotion(commit, 2)
			if _, err := s.api.RollbackDeployment(s.t.Context(), d.ID, "on second thoughts"); err != nil {
				s.t.Log(err) // the daemon may be dead before it answers
			}
			return commit
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var commit string
			s := killed(t, "K8", func(s *stage) { commit = drive(s) })
			s.offline(func(db *store.Store) {
				d, err := db.ActiveDeployment(t.Context(), shop)
				if err != nil || d.State != rollout.RollingBack {
					t.Errorf("stored is %s, %v; want a rollback under way", d.State, err)
				}
			})
			s.start()
			d := s.concludes(commit, "RolledBack")
			s.everywhere("1.0.0")
			if n := len(s.eventsOf(d, rollout.FactRollback)); n != 1 {
				t.Errorf("the rollback began %d times", n)
			}
			config, err := s.api.Config(t.Context(), shop)
			if err != nil || config.Hold == nil || config.Hold.RefusedVersion != d.ConfigVersion || config.CurrentVersion != "1.0.0" {
				t.Errorf("the profile is %+v, %v; want a hold at 1.0.0 that refuses %s", config, err, d.ConfigVersion)
			}
			s.restartDeploysNothing()
			s.holds()
		})
	}
}

// restartDeploysNothing: what was refused stays refused.
func (s *stage) restartDeploysNothing() {
	s.t.Helper()
	before := len(s.deployments(client.DeploymentFilter{}))
	s.stop()
	s.start()
	s.syncs()
	if after := len(s.deployments(client.DeploymentFilter{})); after != before {
		s.t.Errorf("a restart made %d deployments", after-before)
	}
}

// syncs waits until the running daemon has looked at the source.
func (s *stage) syncs() {
	s.t.Helper()
	eventually(s.t, "a sync", func() bool {
		return s.metric(`sluice_source_sync_duration_seconds_count{outcome="ok",source="configs"}`) > 0
	})
}

// K9: the end was stored, and the outbox did not get to it.
func TestKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"K9", "K9-success", "K10-success"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			var commit string
			s := killed(t, point, func(s *stage) { commit = s.change(automatic, "servus") })
			s.start()
			s.concludes(commit, "Completed")
			s.everywhere("1.0.1")
			s.once("1.0.1")
			if c := s.status(commit, "sluice/"+shop); c.State != "success" {
				t.Errorf("the commit ends with %s: %s", c.State, c.Description)
			}
			s.status(commit, "sluice")
			eventually(t, "an empty outbox", func() bool { return s.metric("sluice_outbox_pending") == 0 })
			s.holds()
			s.offline(func(db *store.Store) {
				posted, err := db.PostedStatuses(t.Context(), commit)
				if err != nil {
					t.Fatal(err)
				}
				done := map[string]bool{}
				for _, p := range posted {
					if done[p.Context] && p.State != rollout.StatusSuccess {
						t.Errorf("%s fell back from success to %s", p.Context, p.State)
					}
					done[p.Context] = done[p.Context] || p.State == rollout.StatusSuccess
				}
			})
		})
	}
}

// K11: the daemon died with a claim in its hand.
func TestKilledWithAClaim(t *testing.T) {
	t.Parallel()
	var commit string
	s := killed(t, "K11:4", func(s *stage) { commit = s.change(automatic, "servus") })
	s.start()
	s.concludes(commit, "Completed")
	s.everywhere("1.0.1")
	s.once("1.0.1")
	s.holds()
}
