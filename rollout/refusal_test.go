package rollout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// standing is a deployment in a state, and how it came there.
func standing(state rollout.State) rollout.Deployment {
	d := forward("a")
	d.State, d.Explanation = state, "the present explanation"
	d.CreatedAt, d.StateAt = dawn, dawn.Add(time.Minute)
	d.Came = map[rollout.State]string{
		rollout.InProgress: "resumed by bob: fine", rollout.Paused: "paused at canary 50% by bob: lunch", rollout.Completed: "1.1.0 runs on 4 of 4 instances",
		rollout.Failed: "no progress for 30m", rollout.RollingBack: "taken back by bob: slow", rollout.RolledBack: "taken back by the gate: errors",
		rollout.Superseded: "superseded by 1.2.0", rollout.Cancelled: "cancelled by bob before it started",
	}[state]
	return d
}

// TestEveryOrderInEveryState gives every order to a deployment in every state: it
// fits, or the answer says what happened and which states it fits.
func TestEveryOrderInEveryState(t *testing.T) {
	t.Parallel()
	const (
		resume   = "resume is not possible for a deployment that is %s, only for one that is Paused"
		pause    = "pause is not possible for a deployment that is %s, only for one that is InProgress"
		promote  = "promote is not possible for a deployment that is %s, only for one that is Pending or InProgress"
		cancel   = "cancel is not possible for a deployment that is %s, only for one that is Pending, InProgress or Paused"
		rollback = "rollback is not possible for a deployment that is %s, only for one that is Pending, InProgress, Paused, RollingBack, Completed or Failed"
		retry    = "retry is not possible for a deployment that is %s, only for one that is Failed, RolledBack, Superseded or Cancelled"
		person   = "promote is not possible for this deployment, which is %s: it waits for no person"
		ended    = "rollback is not possible for this deployment, which is %s: it has ended; what it brought is taken back by a rollback of its profile"
	)
	orders := []rollout.Order{rollout.OrderPause, rollout.OrderResume, rollout.OrderPromote, promoteAll, rollout.OrderCancel, rollout.OrderRollback, rollout.OrderRetry}
	for state, want := range map[rollout.State][]string{ // "" is allowed; in the order of orders
		rollout.Pending:     {pause, resume, person, person, "", "", retry},
		rollout.InProgress:  {"", resume, "", "", "", "", retry},
		rollout.Paused:      {pause, "", promote, promote, "", "", retry},
		rollout.RollingBack: {pause, resume, promote, promote, cancel, "", retry},
		rollout.Completed:   {pause, resume, promote, promote, cancel, ended, retry},
		rollout.Failed:      {pause, resume, promote, promote, cancel, ended, ""},
		rollout.RolledBack:  {pause, resume, promote, promote, cancel, rollback, ""},
		rollout.Superseded:  {pause, resume, promote, promote, cancel, rollback, ""},
		rollout.Cancelled:   {pause, resume, promote, promote, cancel, rollback, ""},
	} {
		for i, order := range orders {
			d := standing(state)
			w := newWorld(2, "1.0.0")
			w.d = d
			err := rollout.MayRetry(d)
			if order != rollout.OrderRetry {
				err = w.order(order, "alice", "because")
			}
			since := fmt.Sprintf("%s since 2026-03-02T10:01:00Z (%s)", state, d.Came)
			if state == rollout.Pending {
				since = "Pending since 2026-03-02T10:00:00Z (the present explanation)"
			}
			if want[i] == "" {
				if err != nil {
					t.Errorf("%s of one that is %s: %v", order, state, err)
				}
				continue
			}
			if text := fmt.Sprintf(want[i], since); err == nil || err.Error() != text {
				t.Errorf("%s of one that is %s\ngot  %v\nwant %s", order, state, err, text)
			}
			if e, ok := errors.AsType[*rollout.StateError](err); !ok || e.State != state {
				t.Errorf("%s of one that is %s is no StateError: %v", order, state, err)
			}
		}
	}
	for _, kind := range []rollout.Kind{rollout.Rollback, rollout.Retirement} {
		d := standing(rollout.Failed)
		d.Kind = kind
		if e, ok := errors.AsType[*rollout.StateError](rollout.MayRetry(d)); !ok || e.Why == "" {
			t.Errorf("a %s may be tried again", kind)
		}
	}
}

// What an order was overtaken by is kept until the next one, whatever the
// deployment says of itself meanwhile.
func TestARefusalSaysWhoWasQuicker(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.commit("1.1.0")
	w.run(40 * time.Second)
	for _, step := range []struct {
		order rollout.Order // of bob
		late  rollout.Order // of alice, a little later
		want  string
	}{
		{"", rollout.OrderResume, "(started)"},
		{rollout.OrderPause, rollout.OrderPause, "(paused at canary 10% by bob: mine)"},
		{rollout.OrderResume, rollout.OrderResume, "(resumed by bob: mine)"},
		{rollout.OrderCancel, rollout.OrderPause, "(cancelled by bob: mine)"},
	} {
		if step.order != "" {
			if err := w.order(step.order, "bob", "mine"); err != nil {
				t.Fatal(err)
			}
		}
		at := w.now
		if step.order == "" {
			at = dawn
		}
		w.run(3 * time.Second)
		err := w.order(step.late, "alice", "late")
		if since := " since " + at.Format(time.RFC3339) + " " + step.want; err == nil || !strings.Contains(err.Error(), since) {
			t.Errorf("%s after %s: %v, want%s", step.late, step.order, err, since)
		}
	}
}

// Two people who mean the same phase promote it once.
func TestAPhaseIsPromotedOnce(t *testing.T) {
	t.Parallel()
	s := profile.DefaultStrategy(profile.Canary)
	d := standing(rollout.InProgress)
	d.Strategy, d.Phase, d.Progress.Percent = s, 1, 30
	first, err := rollout.Promote(d, rollout.Snapshot{}, "bob", "", dawn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rollout.Promote(first.Next, rollout.Snapshot{}, "alice", "", dawn); err == nil || !strings.Contains(err.Error(), "canary 30% was promoted already by bob") {
		t.Errorf("the same phase again: %v", err)
	}
	if _, err := rollout.PromoteAll(first.Next, rollout.Snapshot{}, "alice", "", dawn); err != nil {
		t.Errorf("the others as well: %v", err)
	}
	next := first.Next
	next.Phase = 2
	if _, err := rollout.Promote(next, rollout.Snapshot{}, "alice", "", dawn); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
