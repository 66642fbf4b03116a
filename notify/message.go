package notify

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/internal/redact"
	"github.com/sluicehq/sluice/rollout"
)

// maxText bounds what is quoted of a reason or an explanation, in runes.
const maxText = 500

// clean is a text of others as it may be shown: one line, without secrets, not
// too long. What cannot be printed is a space.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, redact.Text(text))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return string(runes)
}

// cleaned is a notification whose texts may be shown.
func cleaned(n rollout.Notification) rollout.Notification {
	for _, text := range []*string{&n.Actor, &n.Reason, &n.Explanation, &n.Profile, &n.Service, &n.Version, &n.Previous, &n.Commit} {
		*text = clean(*text)
	}
	return n
}

// headline says in a few words what happened. Its parts are cleaned already.
func headline(n rollout.Notification) string {
	subject := n.Profile
	if n.Version != "" {
		subject += " " + n.Version
	}
	switch EventOf(n) {
	case Started:
		return subject + " is being rolled out" + from(n)
	case Phase:
		return fmt.Sprintf("%s is at %d%%, phase %d of %d", subject, n.Progress.Percent, n.Phase, n.Progress.Phases)
	case Switched:
		return subject + " gets the requests"
	case Completed:
		return subject + " is rolled out"
	case Failed:
		return subject + " failed"
	case Rollback:
		if n.Kind == rollout.Rollback { // its own version is the one that it brings back
			return fmt.Sprintf("%s is being rolled back to %s", strings.TrimSpace(n.Profile+" "+n.Previous), n.Version)
		}
		return fmt.Sprintf("%s is being rolled back to %s", subject, n.Previous)
	case RolledBack:
		if n.Kind == rollout.Rollback {
			return fmt.Sprintf("%s was rolled back to %s", strings.TrimSpace(n.Profile+" "+n.Previous), n.Version)
		}
		return fmt.Sprintf("%s was rolled back to %s", subject, n.Previous)
	case Hold:
		if n.Previous == "" {
			return fmt.Sprintf("%s is on hold: %s is refused", n.Profile, n.Version)
		}
		return fmt.Sprintf("%s is on hold at %s: %s is refused", n.Profile, n.Previous, n.Version)
	case Released:
		return fmt.Sprintf("the hold of %s is over", n.Profile)
	case Forced:
		return subject + " is forced past its guards"
	case Quarantined:
		return subject + " is set aside until a person acts on it"
	}
	return fmt.Sprintf("%s was %s", subject, EventOf(n))
}

func from(n rollout.Notification) string {
	if n.Previous == "" || n.Previous == n.Version {
		return ""
	}
	return " in place of " + n.Previous
}

// because is the reason, or where the deployment stands.
func because(n rollout.Notification) string {
	if n.Reason != "" {
		return n.Reason
	}
	switch EventOf(n) {
	case Completed, Failed, RolledBack, Quarantined:
		return n.Explanation
	}
	return ""
}

// link is the page of the deployment; "" when there is none.
func link(externalURL string, n rollout.Notification) string {
	if externalURL == "" || n.DeploymentID == "" {
		return ""
	}
	return strings.TrimSuffix(externalURL, "/") + "/deployments/" + n.DeploymentID
}
