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

// Tally counts the profiles of one commit by the state of their statuses.
type Tally struct {
	Success int `json:"success,omitempty"`
	Pending int `json:"pending,omitempty"`
	Error   int `json:"error,omitempty"`
	Failure int `json:"failure,omitempty"`
}

// Add counts n more profiles of a state. One that no forge knows is not counted.
func (t *Tally) Add(state StatusState, n int) {
	switch state {
	case StatusSuccess:
		t.Success += n
	case StatusPending:
		t.Pending += n
	case StatusError:
		t.Error += n
	case StatusFailure:
		t.Failure += n
	}
}

// Plus is the tally with another one, such as a difference, added to it.
func (t Tally) Plus(o Tally) Tally {
	return Tally{t.Success + o.Success, t.Pending + o.Pending, t.Error + o.Error, t.Failure + o.Failure}
}

// Total is how many profiles there are.
func (t Tally) Total() int { return t.Success + t.Pending + t.Error + t.Failure }

// Worst is the state of the commit.
func (t Tally) Worst() StatusState {
	switch {
	case t.Failure > 0:
		return StatusFailure
	case t.Error > 0:
		return StatusError
	case t.Pending > 0:
		return StatusPending
	}
	return StatusSuccess
}

// Speaks says that the aggregate repeats what one of the profiles says: the only one, or the first of
// the worst where something is wrong.
func (t Tally) Speaks() bool { return t.Total() == 1 || t.Failure+t.Error > 0 }

// Partly is an aggregate while its commit is stored in parts: no success before the last one,
// and no count that would be told anew with each.
func (s Status) Partly() Status {
	if s.State == StatusSuccess || s.State == StatusPending {
		s.State, s.Description, s.DeploymentID = StatusPending, "its profiles are still being stored", ""
	}
	return s
}

// Aggregate is the status over all profiles of one commit: the worst of them. first is the first status
// of that state by its context; it is looked at where Speaks holds.
func (t Tally) Aggregate(first Status) Status {
	out := Status{Context: AggregateContext, State: t.Worst()}
	switch total := t.Total(); {
	case total == 0:
		out.Description = "no profile changes"
	case total == 1:
		out.Description, out.DeploymentID = first.Description, first.DeploymentID
	case out.State == StatusSuccess:
		out.Description = fmt.Sprintf("all %d profiles are done", total)
	case out.State == StatusPending:
		out.Description = fmt.Sprintf("%d of %d profiles are done", t.Success, total)
	default:
		out.Description = Describe(fmt.Sprintf("%d of %d profiles: %s", t.Failure+t.Error, total, first.Description))
	}
	return out
}
