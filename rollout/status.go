package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

const (
	maxContext     = 255
	maxDescription = 140
	maxForeign     = 300
)

// AggregateContext is the context of the status over all profiles of a commit.
const AggregateContext = "sluice"

// Context is the commit status context of a profile; a long one is cut and
// made unique again by a hash, and so is that of a profile named check.
func Context(profileName string) string {
	name := "sluice/" + profileName
	if len(name) <= maxContext && name != CheckContext {
		return name
	}
	sum := sha256.Sum256([]byte(profileName))
	suffix := "-" + hex.EncodeToString(sum[:6])
	return name[:min(len(name), maxContext-len(suffix))] + suffix
}

// Describe cuts a status description to what every forge takes: 140 runes on one line.
func Describe(text string) string { return cut(text, maxDescription) }

// line is somebody else's text inside a sentence of ours.
func line(text string) string { return cut(text, maxForeign) }

func cut(text string, limit int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit-1]) + "…"
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
	switch d.State {
	case Pending:
		if d.Explanation != "" {
			return StatusPending, d.Explanation
		}
		return StatusPending, d.Version + " waits to start"
	case InProgress:
		return StatusPending, standing(d) + waits(d)
	case Paused:
		return StatusPending, "paused at " + standing(d)
	case Completed:
		return StatusSuccess, d.Explanation
	case RollingBack:
		return StatusPending, d.Explanation
	case RolledBack:
		return blame(d), "rolled back to " + d.Previous + by(d) + ": " + d.RollbackReason
	case Failed:
		return blame(d), d.Explanation
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

// standing is how far a deployment is, as in "canary 30%, 3 of 10 instances".
func standing(d Deployment) string {
	return fmt.Sprintf("%s, %d of %d instances", position(d), d.Progress.Applied, d.Progress.Targets)
}

// waits says what a deployment waits for, in words that stay the same while it
// does: each new text is one more call to the forge.
func waits(d Deployment) string {
	switch d.Awaiting {
	case AwaitingPromotion:
		return ": waits for a person to promote it"
	case AwaitingFreeze, AwaitingWindow:
		if why, ok := strings.CutPrefix(d.Explanation, position(d)+": "); ok {
			return ": " + why
		}
	case AwaitingEvidence:
		if d.Verdict.Reason == "" || !strings.HasSuffix(d.Explanation, d.Verdict.Reason) {
			return ": " + strings.TrimPrefix(d.Explanation, position(d)+": ")
		}
		var unsure []string
		for _, m := range d.Verdict.Metrics {
			if !m.DryRun && (m.Outcome == Inconclusive || m.Outcome == Error) {
				unsure = append(unsure, m.Name)
			}
		}
		return ": waits for evidence of " + strings.Join(unsure, ", ")
	}
	return ""
}

// blame tells a bad change from one that nothing is known of.
func blame(d Deployment) StatusState {
	if d.RollbackBy == byDeadline || d.RollbackBy == byCancel {
		return StatusError
	}
	return StatusFailure
}

// by names the person who rolled back.
func by(d Deployment) string {
	switch d.RollbackBy {
	case byGate, byDeadline, byCancel, "":
		return ""
	}
	return " by " + d.RollbackBy
}

// Rest is how long a forge that took so many texts of a status is not given another one of the
// same state: it takes 1,000 of one context and commit (GitHub), and what a rollout ends in has to
// be among them. Twenty come within three seconds, a hundred within six minutes, 900 in three days.
// Another state never waits.
func Rest(posts int) time.Duration {
	return time.Duration(posts) * time.Duration(posts) * time.Millisecond
}
