package rollout

import "fmt"

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

// Quiet says that the forge is not told of one more profile in a state: the aggregate speaks for a commit
// that changes many. Those that are wrong are told where they are few, whatever the others are.
func (t Tally) Quiet(state StatusState) bool {
	if state == StatusFailure || state == StatusError {
		return t.Failure+t.Error > maxTold
	}
	return t.Total() > maxTold
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
		if total > maxTold { // no new text for each of thousands
			out.Description = fmt.Sprintf("%d%% of %d profiles are done", t.Success*100/total, total)
		}
	default:
		out.Description = Describe(fmt.Sprintf("%d of %d profiles: %s", t.Failure+t.Error, total, first.Description))
	}
	return out
}
