package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
)

// SIGTERM in the middle of a phase, with every instance's stream open: the
// daemon ends well and in time, and its successor goes on where it was.
func TestStoppedInMidPhase(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	commit := s.change(byHand, "servus")
	before := s.awaitsPromotion(commit, 1)
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the daemon took %s to stop", took)
	}
	s.start()
	d := s.awaitsPromotion(commit, 1)
	if d.ID != before.ID || !d.PhaseEnteredAt.Equal(*before.PhaseEnteredAt) {
		t.Errorf("deployment %s entered its phase at %s, after the restart it is %s, at %s", before.ID, before.PhaseEnteredAt, d.ID, d.PhaseEnteredAt)
	}
	for phase := 1; phase < len(steps); phase++ {
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

// One database file, one daemon.
func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	s := perform(t, testenv.Binary(t))
	second := newDaemon(t, s.program)
	second.args = append(second.args, "--database-url", filepath.Join(s.data, "sluice.db"))
	second.launch()
	if code := second.ended().ExitStatus(); code == 0 {
		t.Error("the second daemon ended with 0")
	}
	if said := second.logs(); !strings.Contains(said, "in use by another process") || !strings.Contains(said, "--data-dir") {
		t.Errorf("the second daemon said:\n%s", said)
	}
	if !s.ready() {
		t.Error("the first daemon suffered")
	}
	s.holds()
}

// A release has no crash points.
func TestReleaseHasNoCrashPoints(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(testenv.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "SLUICE_FAILPOINT") {
		t.Error("the variable of the crash points is in the program")
	}
	out, err := exec.CommandContext(t.Context(), testenv.Binary(t), "version").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
