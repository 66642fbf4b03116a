package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	maxContext     = 255
	maxDescription = 140
)

// AggregateContext is the context of the status over all profiles of a commit.
const AggregateContext = "sluice"

// Context is the commit status context of a profile; a long one is cut and
// made unique again by a hash.
func Context(profileName string) string {
	name := "sluice/" + profileName
	if len(name) <= maxContext {
		return name
	}
	sum := sha256.Sum256([]byte(profileName))
	suffix := "-" + hex.EncodeToString(sum[:6])
	return name[:maxContext-len(suffix)] + suffix
}

// Describe cuts a status description to what every forge takes: 140 runes on one line.
func Describe(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= maxDescription {
		return string(runes)
	}
	return string(runes[:maxDescription-1]) + "…"
}

// StatusOf is what a deployment's commit should say. ok is false for a
// deployment that no commit made.
func StatusOf(d Deployment) (status Status, ok bool) {
	if d.Commit == "" {
		return Status{}, false
	}
	state, text := describe(d)
	return Status{
		Source: d.Source, Commit: d.Commit, Context: Context(d.Profile),
		State: state, Description: Describe(text), DeploymentID: d.ID,
	}, true
}

func describe(d Deployment) (StatusState, string) {
	p := d.Progress
	switch d.State {
	case Pending:
		if d.Explanation != "" {
			return StatusPending, d.Explanation
		}
		return StatusPending, d.Version + " waits to start"
	case InProgress:
		text := fmt.Sprintf("%s %d%%, %d of %d instances", strings.ToLower(string(d.Strategy.Type)), p.Percent, p.Applied, p.Targets)
		if d.Awaiting == AwaitingEvidence || d.Awaiting == AwaitingPromotion {
			text += ": " + d.Explanation
		}
		return StatusPending, text
	case Paused:
		return StatusPending, fmt.Sprintf("paused at %d%%, %d of %d instances", p.Percent, p.Applied, p.Targets)
	case Completed:
		return StatusSuccess, d.Explanation
	case RollingBack:
		return StatusPending, d.Explanation
	case RolledBack:
		if d.RollbackBy == "deadline" || d.RollbackBy == byCancel {
			return StatusError, "rolled back to " + d.Previous + ": " + d.RollbackReason
		}
		return StatusFailure, "rolled back to " + d.Previous + ": " + d.RollbackReason
	case Failed:
		return StatusFailure, d.Explanation
	case Superseded:
		if d.StartedAt.IsZero() {
			return StatusSuccess, d.Explanation
		}
		return StatusError, d.Explanation
	case Cancelled:
		return StatusError, d.Explanation
	}
	return StatusError, "in the unknown state " + string(d.State)
}

// Aggregate is the status over all profiles of one commit: the worst of them.
// The statuses are those of the profiles, without the aggregate itself.
func Aggregate(statuses []Status) Status {
	rank := map[StatusState]int{StatusSuccess: 0, StatusPending: 1, StatusError: 2, StatusFailure: 3}
	var out Status
	counts := map[StatusState]int{}
	for i, s := range statuses {
		counts[s.State]++
		if i == 0 || rank[s.State] > rank[out.State] {
			out = s
		}
	}
	out.Context = AggregateContext
	if len(statuses) == 1 {
		return out
	}
	out.DeploymentID = ""
	switch out.State {
	case StatusSuccess:
		out.Description = fmt.Sprintf("all %d profiles are done", len(statuses))
	case StatusPending:
		out.Description = fmt.Sprintf("%d of %d profiles are done", counts[StatusSuccess], len(statuses))
	default:
		bad := counts[StatusFailure] + counts[StatusError]
		out.Description = Describe(fmt.Sprintf("%d of %d profiles: %s", bad, len(statuses), out.Description))
	}
	return out
}
