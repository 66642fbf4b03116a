package notify

import (
	"encoding/json"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// webhookBody is what a webhook gets: the envelope that Standard Webhooks asks for.
type webhookBody struct {
	Type      string      `json:"type"` // of the fact, as in the audit log: deployment.rollback
	Timestamp time.Time   `json:"timestamp"`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	Event           Event            `json:"event"` // as routes name it
	Message         string           `json:"message"`
	Reason          string           `json:"reason,omitempty"`
	Actor           string           `json:"actor,omitempty"`
	ConfigName      string           `json:"configName"`
	ServiceName     string           `json:"serviceName,omitempty"`
	Environment     string           `json:"environment,omitempty"`
	ConfigVersion   string           `json:"configVersion,omitempty"`
	PreviousVersion string           `json:"previousVersion,omitempty"`
	Deployment      *webhookDeployed `json:"deployment,omitempty"`
	URL             string           `json:"url,omitempty"`
}

type webhookDeployed struct {
	ID          string        `json:"id"`
	Kind        rollout.Kind  `json:"kind"`
	Status      rollout.State `json:"status"`
	Strategy    string        `json:"strategy,omitempty"`
	Explanation string        `json:"explanation,omitempty"`
	Commit      string        `json:"commit,omitempty"`
	PullRequest int           `json:"pullRequest,omitempty"`
	Phase       int           `json:"phase"`
	Phases      int           `json:"phases"`
	Percent     int           `json:"percent"`
	Targets     int           `json:"targets"`
	Applied     int           `json:"applied"`
	Failed      int           `json:"failed"`
}

// webhookJSON is the body for a webhook. It is the same for every attempt.
func webhookJSON(n rollout.Notification, externalURL string) ([]byte, error) {
	n = cleaned(n)
	body := webhookBody{Type: n.Fact, Timestamp: n.At.UTC(), Data: webhookData{
		Event: EventOf(n), Message: headline(n), Reason: n.Reason, Actor: n.Actor,
		ConfigName: n.Profile, ServiceName: n.Service, Environment: n.Environment,
		ConfigVersion: n.Version, PreviousVersion: n.Previous, URL: link(externalURL, n),
	}}
	if n.DeploymentID != "" {
		body.Data.Deployment = &webhookDeployed{
			ID: n.DeploymentID, Kind: n.Kind, Status: n.State, Strategy: n.Strategy, Explanation: n.Explanation,
			Commit: n.Commit, PullRequest: n.PullRequest, Phase: n.Phase, Phases: n.Progress.Phases, Percent: n.Progress.Percent,
			Targets: n.Progress.Targets, Applied: n.Progress.Applied, Failed: n.Progress.Failed,
		}
	}
	return json.Marshal(body)
}
