package rollout_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// Of many that are due at once one panics and one cannot be stored: all others
// go on as if these were not there.
func TestEngineStepsManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(0)
		m.failStep = func(claim rollout.Claim) error {
			switch claim.DeploymentID {
			case "many-007":
				panic("nobody can store this one")
			case "many-011":
				return errors.New("the disk says no")
			}
			return nil
		}
		panicked := 0
		const n = 300
		for i := range n {
			d := forward(fmt.Sprintf("many-%03d", i))
			d.Profile = d.ID
			m.rows[d.ID] = &row{d: d, due: time.Now()}
		}
		running(t, m, rollout.EngineOptions{Workers: 4, Metrics: rollout.EngineMetrics{Panicked: func(string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			panicked++
		}}})
		beat(m, 8*time.Minute)
		for i := range n {
			id := fmt.Sprintf("many-%03d", i)
			d := state(t, m, id)
			if bad := id == "many-007" || id == "many-011"; bad != (m.rows[id].quarantined != "") || !bad && d.State != rollout.Completed {
				t.Errorf("%s is %s (%s), set aside: %q", id, d.State, d.Explanation, m.rows[id].quarantined)
			}
		}
		if panicked != 5 {
			t.Errorf("%d panics, want one with the others and four alone", panicked)
		}
	})
}
