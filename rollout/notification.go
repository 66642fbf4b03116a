package rollout

import "time"

// Notification is something that happened, as one target outside is told of it:
// versions, numbers and reasons, never configuration data.
type Notification struct {
	ID      string    `json:"id"`                // of what happened: the same for every target and every attempt
	Target  string    `json:"target"`            // name of the target in the settings
	Channel string    `json:"channel,omitempty"` // that the profile's settings ask for, where the target has channels
	Fact    string    `json:"fact"`              // type of the fact, as in the audit log
	At      time.Time `json:"at"`
	Actor   string    `json:"actor,omitempty"`
	Reason  string    `json:"reason,omitempty"`

	Profile     string `json:"profile"`
	Service     string `json:"service,omitempty"`
	Environment string `json:"environment,omitempty"`

	DeploymentID string   `json:"deploymentId,omitempty"`
	Kind         Kind     `json:"kind,omitempty"`
	State        State    `json:"state,omitempty"`
	Strategy     string   `json:"strategy,omitempty"`
	Version      string   `json:"version,omitempty"`  // that it is about: the refused one of a hold
	Previous     string   `json:"previous,omitempty"` // the one before it, or that it goes back to
	Explanation  string   `json:"explanation,omitempty"`
	Commit       string   `json:"commit,omitempty"`
	OfMany       bool     `json:"ofMany,omitempty"` // the commit changes many profiles
	PullRequest  int      `json:"pullRequest,omitempty"`
	Phase        int      `json:"phase,omitempty"` // from 1 on
	Progress     Progress `json:"progress"`
}

// NewNotification describes a fact about d, which may be the zero value for a
// fact that no deployment stands behind.
func NewNotification(id string, f Fact, d Deployment, at time.Time) Notification {
	n := Notification{
		ID: id, Fact: f.Type, At: at, Actor: f.Actor, Reason: detail(f, "reason"),
		Profile: d.Profile, Service: d.Selector.Service, Environment: string(d.Selector.Environment),
		DeploymentID: d.ID, Kind: d.Kind, State: d.State, Strategy: string(d.Strategy.Type), Version: d.Version, Previous: d.Previous,
		Explanation: d.Explanation, Commit: d.Commit, OfMany: d.OfMany, PullRequest: d.PullRequest, Progress: d.Progress,
	}
	if d.ID != "" {
		n.Phase = d.Phase + 1
	}
	if f.EntityType == "profile" {
		n.Profile = f.EntityID
	}
	if f.Type == FactHoldBegun || f.Type == FactHoldEnded {
		n.Version, n.Previous = detail(f, "refused"), detail(f, "pinned")
	}
	return n
}

func detail(f Fact, key string) string {
	text, _ := f.Details[key].(string)
	return text
}

// Standing is where a profile stands at the moment: what an alert about it is
// decided by, however old the news is that asks for it.
type Standing struct {
	At     time.Time
	Newest Deployment // the profile's newest; zero when there is none
	Held   bool
	Hold   Hold // in force when Held
}
