package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// A replica is paused in the middle of a step, for longer than its claim lasts,
// and another one takes over. When the first goes on it still wants to do what
// it was about to do then, and that changes nothing any more.
func TestClusterPausedPastItsLease(t *testing.T) {
	t.Parallel()
	// A connection may have died of the pause: then the step fails before it comes too late.
	late, told := []string{"another was quicker", "step failed"}, []string{"deployment moved"}
	for _, tt := range []struct {
		name, point string
		data        string   // that is committed
		end         string   // of its deployment
		says        []string // one of them, by the paused replica when it goes on
	}{
		{"before it read the deployment", "K11:3", "greeting: servus", "Completed", late},
		{"before it stored what it decided", "K6:2", "greeting: servus", "Completed", late},
		{"before it told of a rollback", "K8:1", "greeting: hello, failing: 60", "RolledBack", told},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := performOn(t, testenv.CrashingBinary(t), 2)
			paused := c.replicas[0]
			paused.terminate()
			paused.start("SLUICE_FAILPOINT=" + tt.point + ":freeze")
			c.inUse(2)
			var commit string
			c.alone(paused, func() {
				commit = c.commit("Greet", shopWith(automatic, tt.data))
				paused.frozen()
			})
			version := map[string]string{"Completed": "1.0.1", "RolledBack": "1.0.0"}[tt.end]
			c.concludes(commit, tt.end)
			c.everywhere(version)

			before := len(paused.logs())
			paused.thaw()
			eventually(t, "the paused replica to go on", func() bool {
				said := paused.logs()[before:]
				return slices.ContainsFunc(tt.says, func(words string) bool { return strings.Contains(said, words) })
			})
			c.inUse(2)
			c.concludes(commit, tt.end)
			c.everywhere(version)
			c.holds()
		})
	}
}
