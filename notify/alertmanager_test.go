package notify_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// firing asks an Alertmanager for the alerts that fire.
func firing(t *testing.T, a *testenv.Alertmanager) (names []string, alerts map[string]map[string]string) {
	t.Helper()
	res, err := http.Get(a.URL() + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list []struct {
		Labels, Annotations map[string]string
		GeneratorURL        string
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	alerts = map[string]map[string]string{}
	for _, alert := range list {
		names = append(names, alert.Labels["alertname"])
		alerts[alert.Labels["alertname"]] = map[string]string{
			"severity": alert.Labels["severity"], "profile": alert.Labels["profile"], "description": alert.Annotations["description"], "url": alert.GeneratorURL,
		}
	}
	slices.Sort(names)
	return names, alerts
}

// A real Alertmanager fires what holds, ends what is over, and is not misled by
// old news that arrives late.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	a := testenv.NewAlertmanager(t)
	s := notifier(notify.Alertmanager, a.URL()+"/")
	begun := time.Now().Add(-time.Minute)
	news, standing := rolledBack()
	standing.Newest.RollbackAt, standing.Hold.CreatedAt = begun, begun
	tell := func(now rollout.Standing, want ...string) map[string]map[string]string {
		t.Helper()
		now.At = time.Now()
		if err := s.Send(t.Context(), news, now); err != nil {
			t.Fatal(err)
		}
		names, alerts := firing(t, a)
		if !slices.Equal(names, want) {
			t.Errorf("%v fire, want %v", names, want)
		}
		return alerts
	}
	alerts := tell(standing, "SluiceHold", "SluiceRollback")
	if got := alerts["SluiceRollback"]; got["severity"] != "critical" || got["profile"] != "payment-service.production" ||
		got["description"] != standing.Newest.Explanation || got["url"] != "https://sluice.example.com/deployments/0195" {
		t.Errorf("%v", got)
	}
	if got := alerts["SluiceHold"]; got["severity"] != "warning" || got["description"] != "pinned to 1.3.0, 1.4.0 is refused: errorRate" {
		t.Errorf("%v", got)
	}
	tell(rollout.Standing{Newest: standing.Newest}) // released
	failed := standing
	failed.Newest.State, failed.Newest.FinishedAt = rollout.Failed, begun
	tell(failed, "SluiceDeploymentFailed", "SluiceHold")
	over := rollout.Standing{Newest: rollout.Deployment{State: rollout.Completed}}
	tell(over)
	tell(over) // the same old news of the rollback, hours late: nothing comes back
	emergency := standing
	emergency.Newest.Kind, emergency.Newest.State, emergency.Newest.StartedAt = rollout.Rollback, rollout.InProgress, begun
	tell(emergency, "SluiceHold", "SluiceRollback")

	if answer, err := s.Test(t.Context(), "it"); err != nil || answer != "200 OK" {
		t.Errorf("a test is answered with %q, %v", answer, err)
	}
	news.Environment = string(profile.Staging)
	if got := tell(standing, "SluiceHold", "SluiceHold", "SluiceRollback", "SluiceRollback"); got == nil {
		t.Error("no alerts")
	}
}
