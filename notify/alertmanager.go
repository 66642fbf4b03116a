package notify

import (
	"encoding/json"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// alert is a postableAlert of Alertmanager's API v2.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// stands is how long an alert stands when nothing more is heard of its profile.
// Alertmanager would end one that says nothing of its end after minutes.
const stands = 7 * 24 * time.Hour

// condition is what an alert is about: since when it holds, or false.
type condition struct {
	name     string
	critical bool // in Production
	since    func(rollout.Standing) (time.Time, bool)
	text     func(rollout.Standing) string
}

// conditions are the alerts that there are.
var conditions = []condition{
	{"SluiceRollback", true, rolledBackSince, func(s rollout.Standing) string { return s.Newest.Explanation }},
	{"SluiceDeploymentFailed", true, failedSince, func(s rollout.Standing) string { return s.Newest.Explanation }},
	{"SluiceHold", false, func(s rollout.Standing) (time.Time, bool) { return s.Hold.CreatedAt, s.Held }, func(s rollout.Standing) string {
		return "pinned to " + s.Hold.PinnedVersion + ", " + s.Hold.RefusedVersion + " is refused: " + s.Hold.Reason
	}},
}

// rolledBackSince: what was taken back is news until the hold is over, which
// other content or a person ends.
func rolledBackSince(s rollout.Standing) (time.Time, bool) {
	switch d := s.Newest; {
	case !s.Held:
		return time.Time{}, false
	case d.Kind == rollout.Rollback:
		return d.StartedAt, true
	default:
		return d.RollbackAt, d.State == rollout.RollingBack || d.State == rollout.RolledBack
	}
}

func failedSince(s rollout.Standing) (time.Time, bool) {
	return s.Newest.FinishedAt, s.Newest.State == rollout.Failed
}

// alertsJSON is what an Alertmanager gets: every alert that the profile can have,
// as it stands now, firing or over. News that arrives late or twice brings back
// no alert that is over.
func alertsJSON(n rollout.Notification, s rollout.Standing, externalURL string) ([]byte, error) {
	n = cleaned(n)
	alerts := make([]alert, len(conditions))
	for i, c := range conditions {
		alerts[i] = c.alert(n, s, externalURL)
	}
	return json.Marshal(alerts)
}

func (c condition) alert(n rollout.Notification, s rollout.Standing, externalURL string) alert {
	severity := "warning"
	if c.critical && n.Environment == "Production" {
		severity = "critical"
	}
	a := alert{
		// Nothing that changes between the alert and its end: the labels are what it is known by.
		Labels: map[string]string{
			"alertname": c.name, "profile": n.Profile, "service": n.Service, "environment": n.Environment, "severity": severity,
		},
		Annotations:  map[string]string{"summary": n.Profile + ": " + words[c.name]},
		StartsAt:     s.At.UTC(),
		EndsAt:       s.At.UTC(),
		GeneratorURL: link(externalURL, n),
	}
	if since, holds := c.since(s); holds {
		if !since.IsZero() && since.Before(s.At) {
			a.StartsAt = since.UTC()
		}
		a.EndsAt = s.At.UTC().Add(stands)
		a.Annotations["description"] = clean(c.text(s))
	}
	return a
}

var words = map[string]string{
	"SluiceRollback":         "a version was taken back",
	"SluiceDeploymentFailed": "a deployment failed",
	"SluiceHold":             "on hold",
}
