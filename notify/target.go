package notify

import (
	"fmt"
	"regexp"
)

// Type is how a target wants to be told.
type Type string

// The types of targets.
const (
	Webhook      Type = "webhook"      // JSON, signed after Standard Webhooks
	Slack        Type = "slack"        // an incoming webhook of Slack, Mattermost, Rocket.Chat and the like
	Alertmanager Type = "alertmanager" // Prometheus Alertmanager, its API v2
)

// Types lists every type.
func Types() []Type { return []Type{Webhook, Slack, Alertmanager} }

// Target is one place that is told.
type Target struct {
	Name   string
	Type   Type
	URL    string // a secret; of an Alertmanager the part before /api/v2
	Secret string // key of a webhook's signature
}

// MaxName is how long a target's name may be.
const MaxName = 40

var targetName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckName says what is wrong with the name of a target.
func CheckName(name string) error {
	if len(name) > MaxName || !targetName.MatchString(name) {
		return fmt.Errorf("%q must be lower-case letters and digits with single dashes between them, at most %d", name, MaxName)
	}
	return nil
}
