package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// kill -9 at every crash point of the daemon. Webhooks come with the forges;
// until then K1 is a commit that lands while nobody looks, and K2 is not there.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		point string
		bad   bool   // drive a change that is taken back
		rule  string // what must be true after the restart
	}{
		{"K1", false, "a head that was seen and not synced is found by the next poll"},
		{"K3", false, "a mirror that was fetched and not read is a cache"},
		{"K4", false, "a version that was inserted and not committed is made once"},
		{"K5", false, "instances that were assigned and not told get it"},
		{"K6", false, "a gate that was read and not stored is read again"},
		{"K7", false, "a promotion that was stored and not told goes on, once"},
		{"K7:2", false, "the same in a later phase"},
		{"K8", true, "a rollback that was stored and not told goes on, backward only"},
		{"K9", false, "an end that was stored and not told is told"},
		{"K9-post", false, "a status that was to be posted is posted"},
		{"K10", false, "a status that was posted and not marked is posted again, the same"},
		{"K11", false, "a claim that nobody gives back ends by itself"},
		{"K11:2", true, "the same on the way back"},
	} {
		t.Run(tt.point, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			binary := testenv.CrashingBinary(t)
			first := w.commit("one")
			w.start(binary, "")
			w.join(4)
			w.ends(first)
			w.allRun("1.0.0")
			if code := w.stop(); code != 0 {
				t.Fatalf("stopped with %d", code)
			}

			value := "two"
			if tt.bad {
				value = "bad"
			}
			var second string
			if tt.point == "K1" || tt.point == "K3" || tt.point == "K4" {
				second = w.commit(value) // it may die before it is ready
				w.start(binary, tt.point)
			} else {
				w.start(binary, tt.point)
				second = w.commit(value)
			}
			w.died()
			w.start(binary, "")

			status := w.ends(second)
			want, version := "success", "1.0.1"
			if tt.bad {
				want, version = "failure", "1.0.0"
			}
			if status.State != want {
				t.Errorf("%s: the status is %s: %s", tt.rule, status.State, status.Description)
			}
			w.allRun(version)
			w.promises(second)
			if tt.bad {
				for n, i := range w.fleet {
					if strings.Contains(strings.Join(i.applied, " "), "1.0.1") {
						t.Errorf("instance %d ran the version that was taken back: %v", n+1, i.applied)
					}
				}
			}
		})
	}
}

// Twelve rounds of kill -9 at random moments of rollouts; then everything that
// was merged last runs everywhere.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w := newWorld(t)
	binary := testenv.Binary(t)
	first := w.commit("zero")
	w.start(binary, "")
	w.join(4)
	w.ends(first)
	var last string
	for round := range 12 {
		last = w.commit(fmt.Sprint("round-", round))
		after := time.Duration(random.Int64N(int64(1500 * time.Millisecond)))
		select {
		case <-time.After(after): // when it strikes is what the seed decides
		case <-w.ended:
			t.Fatalf("the daemon ended by itself: %s", w.cmd.ProcessState)
		}
		w.kill()
		w.start(binary, "")
	}
	if status := w.ends(last); status.State != "success" {
		t.Errorf("the last commit is %s: %s", status.State, status.Description)
	}
	config, err := w.client.Config(t.Context(), profileName)
	if err != nil {
		t.Fatal(err)
	}
	w.allRun(config.CurrentVersion)
	w.promises(last)
}

// SIGTERM in mid-phase ends cleanly, and the successor goes on with the same deployment.
func TestRestartInMidPhase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	binary := testenv.Binary(t)
	first := w.commit("one")
	w.start(binary, "")
	w.join(4)
	w.ends(first)
	second := w.commit("two")
	w.until("the canary to be on its way", func() bool {
		page, err := w.client.Deployments(t.Context(), client.DeploymentFilter{Commit: second})
		return err == nil && len(page.Items) == 1 && page.Items[0].Progress.Applied >= 1
	})
	if code := w.stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	w.start(binary, "")
	if status := w.ends(second); status.State != "success" {
		t.Errorf("the status is %s: %s", status.State, status.Description)
	}
	w.promises(second)
}
