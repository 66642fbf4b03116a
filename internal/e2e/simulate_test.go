package e2e_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// Sixty instances in one process go through a good canary and are taken off a bad
// one, as real ones are; what the agent prints says so, and none is left behind.
func TestSimulatedInstances(t *testing.T) {
	t.Parallel()
	s := empty(t, testenv.Binary(t), func(s *stage) {
		s.repo.Write(shopFile, shopWith(automatic, "timeoutMs: 500"))
		s.first = s.repo.Commit("Open the shop")
		s.repo.Push()
	})
	a := newSidecar(t, s, "shop")
	a.args = []string{
		"agent", "--server", s.url(), "--token", registrationToken, "--service", "shop", "--environment", "Staging", "--log-level", "warn",
		"--simulate", "60", "--max-heartbeat", "1s", "--behaviour", "requests=50,errors=0.1", "--when", "timeoutMs<100: errors=60",
	}
	a.start()
	everybody := func(version string) {
		t.Helper()
		eventually(t, "sixty instances on "+version, func() bool {
			page, err := s.api.Instances(t.Context(), client.InstanceFilter{ConfigVersion: version, Health: "Healthy"})
			return err == nil && page.Total == 60
		})
	}
	everybody("1.0.0")
	s.concludes(s.commit("Wait less", shopWith(automatic, "timeoutMs: 400")), "Completed")
	everybody("1.0.1")
	d := s.concludes(s.commit("Wait too little", shopWith(automatic, "timeoutMs: 8")), "RolledBack")
	if d.Percent != steps[0] || !strings.Contains(d.RollbackReason, "error rate") {
		t.Errorf("it was taken back at %d %% since %s", d.Percent, d.RollbackReason)
	}
	everybody("1.0.1")
	eventually(t, "the agent to say what runs", func() bool { return strings.Contains(a.logs(), "60 of 60 instances run a version: 1.0.1 on 60") })
	a.end(syscall.SIGTERM)
	page, err := s.api.Instances(t.Context(), client.InstanceFilter{})
	if err != nil || page.Total != 0 {
		t.Errorf("%d instances are left, %v", page.Total, err)
	}
}
