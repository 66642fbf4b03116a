package rollout_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func TestFinalStatesNeverChange(t *testing.T) {
	t.Parallel()
	w := newWorld(3, "1.0.0")
	w.run(time.Second)
	for _, state := range []rollout.State{rollout.Completed, rollout.Failed, rollout.RolledBack, rollout.Superseded, rollout.Cancelled} {
		d := forward("a")
		d.State, d.Explanation = state, "it is over"
		dec := rollout.Decide(d, w.snapshot(), w.now)
		if !state.Final() || dec.Changed || len(dec.Assign) > 0 || !dec.Wake.IsZero() || !reflect.DeepEqual(dec.Next, d) {
			t.Errorf("%s: %+v", state, dec)
		}
		for _, o := range []rollout.Order{rollout.OrderPause, rollout.OrderResume, rollout.OrderPromote, rollout.OrderCancel, rollout.OrderRollback} {
			w.d = d
			var e *rollout.StateError
			if err := w.order(o, "alice", "because"); !errors.As(err, &e) || e.State != state {
				t.Errorf("%s of one that is %s: %v", o, state, err)
			}
		}
	}
	for _, state := range []rollout.State{rollout.Pending, rollout.InProgress, rollout.Paused, rollout.RollingBack} {
		if state.Final() {
			t.Errorf("%s is not the end", state)
		}
	}
}

// A stray that comes back in the very step that begins the next phase gets one
// assignment, not two.
func TestStrayAtTheEndOfAPhase(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.Steps, w.strategy.PhaseInterval = []int{25, 100}, profile.Duration(time.Minute)
	w.run(30 * time.Second)
	w.commit("1.1.0")
	w.run(59 * time.Second)
	for _, p := range w.processes {
		if p.assignment.Version == "1.0.0" {
			p.assignment.Version, p.assignment.Hash = "0.9.0", "h0.9.0"
			p.assignment.Generation--
			break
		}
	}
	w.now = w.now.Add(10 * time.Second)
	dec := rollout.Decide(w.d, w.snapshot(), w.now)
	seen := map[string]string{}
	for _, a := range dec.Assign {
		if before, twice := seen[a.InstanceID]; twice {
			t.Errorf("%s gets %s and %s", a.InstanceID, before, a.Version)
		}
		seen[a.InstanceID] = a.Version
	}
	if dec.Next.Phase != 1 || len(seen) != 3 {
		t.Errorf("phase %d, assigned %v", dec.Next.Phase+1, seen)
	}
}

func TestRetirement(t *testing.T) {
	t.Parallel()
	d := forward("a")
	d.Kind, d.Guard = rollout.Retirement, "more than half of the profiles would go"
	waits := rollout.Decide(d, rollout.Snapshot{}, dawn)
	if waits.Next.Awaiting != rollout.AwaitingApproval || waits.Retire || !waits.Wake.IsZero() {
		t.Errorf("it does not wait for a person: %+v", waits.Next)
	}
	approved, err := rollout.Promote(waits.Next, rollout.Snapshot{}, "alice", "", dawn)
	if err != nil {
		t.Fatal(err)
	}
	done := rollout.Decide(approved.Next, rollout.Snapshot{}, dawn)
	if done.Next.State != rollout.Completed || !done.Retire || len(done.Assign) != 0 {
		t.Errorf("%+v", done)
	}
}

// A retirement supersedes the canary of its profile: while it waits for a person, and when
// that says no, nobody stays on a version that nobody judges.
func TestARetirementSendsTheCanaryHome(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.Steps = []int{50, 100}
	w.run(30 * time.Second)
	w.commit("1.1.0")
	w.run(30 * time.Second)
	w.guard = "more than half of the profiles would go"
	w.commit("1.0.0")
	w.d.Kind = rollout.Retirement
	cancelled, err := rollout.Cancel(w.d, w.snapshot(), "alice", "a wrong path", w.now)
	if err != nil || len(cancelled.Assign) != 2 {
		t.Errorf("cancelled, it gives %+v, %v", cancelled.Assign, err)
	}
	w.run(30 * time.Second)
	for _, p := range w.processes {
		if w.d.Awaiting != rollout.AwaitingApproval || p.assignment.Applied != "1.0.0" {
			t.Errorf("%s runs %s while the retirement is %s/%s", p.instance.ID, p.assignment.Applied, w.d.State, w.d.Awaiting)
		}
	}
}

func TestPromote(t *testing.T) {
	t.Parallel()
	d := forward("a")
	if _, err := rollout.Promote(d, rollout.Snapshot{}, "alice", "", dawn); err == nil || !strings.Contains(err.Error(), "waits for no person") {
		t.Errorf("nothing to approve: %v", err)
	}
	d.State, d.Phase = rollout.InProgress, 2
	dec, err := rollout.Promote(d, rollout.Snapshot{}, "alice", "", dawn)
	if err != nil || dec.Next.Promoted != 3 || !dec.Wake.Equal(dawn) {
		t.Errorf("%+v %v", dec.Next, err)
	}
}

func TestStateErrorNamesTheWayOut(t *testing.T) {
	t.Parallel()
	_, err := rollout.Resume(forward("a"), rollout.Snapshot{}, "alice", "", dawn)
	if want := "resume is not possible for a deployment that is Pending, only for one that is Paused"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestCancelOfAFirstVersionStops(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "")
	w.run(time.Second)
	w.commit("1.0.0")
	w.run(5 * time.Second)
	if err := w.order(rollout.OrderRollback, "alice", "no"); !errors.Is(err, rollout.ErrNoWayBack) {
		t.Errorf("back to nothing: %v", err)
	}
	if err := w.order(rollout.OrderCancel, "alice", ""); err != nil || w.d.State != rollout.Cancelled || len(w.holds) != 0 {
		t.Errorf("%s %v", w.d.State, err)
	}
}

func TestValidateNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(d *rollout.Deployment)
		want string // part of the error, "" for none
	}{
		"a gate that the server knows": {func(d *rollout.Deployment) {
			d.Health = profile.Health{Enabled: true, Metrics: []profile.Metric{{Name: "q", Provider: profile.ProviderWebhook, Query: "smoke"}}}
		}, ""},
		"a gate that it does not know": {func(d *rollout.Deployment) {
			d.Health = profile.Health{Enabled: true, Metrics: []profile.Metric{{Name: "q", Provider: profile.ProviderWebhook, Query: "load"}}}
		}, "add it to the setting gates, which knows smoke"},
		"a provider that there is not": {func(d *rollout.Deployment) {
			d.Health = profile.Health{Enabled: true, Metrics: []profile.Metric{{Name: "q", Provider: "datadog"}}}
		}, "use prometheus, heartbeat or webhook"},
		"health that is off asks nobody": {func(d *rollout.Deployment) {
			d.Health.Metrics = []profile.Metric{{Name: "q", Provider: profile.ProviderPrometheus}}
		}, ""},
		"a traffic hook that the server knows": {func(d *rollout.Deployment) {
			d.Strategy.Type, d.Strategy.TrafficHook = profile.BlueGreen, "edge"
		}, ""},
		"a traffic hook that it does not know": {func(d *rollout.Deployment) {
			d.Strategy.Type, d.Strategy.TrafficHook = profile.BlueGreen, "core"
		}, "add it to the setting traffic_hooks, which knows edge"},
		"canary to production":              {func(*rollout.Deployment) {}, ""},
		"blue and green":                    {func(d *rollout.Deployment) { d.Strategy.Type = profile.BlueGreen }, ""},
		"direct to production, unproven":    {func(d *rollout.Deployment) { d.Strategy.Type = profile.Direct }, "force it with a reason"},
		"everybody at once by another name": {func(d *rollout.Deployment) { d.Strategy.Steps = []int{100} }, "to every instance at once"},
		"direct to production, proven":      {func(d *rollout.Deployment) { d.Strategy.Type, d.Proven = profile.Direct, true }, ""},
		"direct to production, forced":      {func(d *rollout.Deployment) { d.Strategy.Type, d.Force = profile.Direct, "fire" }, ""},
		"direct elsewhere":                  {func(d *rollout.Deployment) { d.Strategy.Type, d.Selector.Environment = profile.Direct, profile.Staging }, ""},
		"a metric of the heartbeats": {func(d *rollout.Deployment) {
			d.Health = profile.Health{Enabled: true, Metrics: []profile.Metric{{Name: "q", Provider: profile.ProviderHeartbeat}}}
		}, ""},
		"a Prometheus that the server does not know": {func(d *rollout.Deployment) {
			d.Health = profile.Health{Enabled: true, Metrics: []profile.Metric{{Name: "q", Provider: profile.ProviderPrometheus}}}
		}, "set prometheus_url"},
		"a rollback is never refused": {func(d *rollout.Deployment) { d.Kind, d.Strategy.Type = rollout.Rollback, profile.BlueGreen }, ""},
		"a retirement is not refused": {func(d *rollout.Deployment) { d.Kind, d.Strategy.Type = rollout.Retirement, profile.Direct }, ""},
	} {
		d := forward("a")
		c.edit(&d)
		err := rollout.ValidateNew(d, rollout.Reach{Gates: []string{"smoke"}, TrafficHooks: []string{"edge"}})
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateFleet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		groups []string
		edit   func(d *rollout.Deployment)
		want   string // part of the error, "" for none
	}{
		"both groups":                 {[]string{fleet.Blue, fleet.Green, fleet.Green}, nil, ""},
		"nobody there":                {nil, nil, ""},
		"no group at all":             {[]string{"", ""}, nil, "2 of 2 are in none: web-1, web-2; register them with metadata group"},
		"one without a group":         {[]string{fleet.Blue, fleet.Green, "grey"}, nil, "1 of 3 are in none: web-3"},
		"no idle group":               {[]string{fleet.Blue, fleet.Blue}, nil, "none of 2 is in group green"},
		"no active group":             {[]string{fleet.Green}, nil, "none of 1 is in group blue"},
		"a canary needs no group":     {[]string{"", ""}, func(d *rollout.Deployment) { d.Strategy.Type = profile.Canary }, ""},
		"a way back is never refused": {[]string{""}, func(d *rollout.Deployment) { d.Kind = rollout.Rollback }, ""},
	} {
		d := forward("a")
		d.Strategy = profile.DefaultStrategy(profile.BlueGreen)
		if c.edit != nil {
			c.edit(&d)
		}
		w := newWorld(len(c.groups), "1.0.0")
		for i, group := range c.groups {
			w.processes[i].instance.Metadata = map[string]string{"group": group}
		}
		err := rollout.ValidateFleet(d, w.snapshot(), w.now)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A group that has not heard of the switch yet runs the version before all the
// same: it is the way back.
func TestSwitchBackBeforeEverybodyHeardOfTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.groups()
	w.strategy = profile.DefaultStrategy(profile.BlueGreen)
	w.strategy.VerificationPeriod = profile.Duration(time.Minute)
	w.commit("1.1.0")
	w.run(90 * time.Second)
	if w.traffic.Group != fleet.Green {
		t.Fatalf("requests go to %q: %s", w.traffic.Group, w.d.Explanation)
	}
	for _, p := range w.processes { // the switch gave everybody a new generation, which nobody has acknowledged
		p.assignment.Generation++
	}
	if err := w.order(rollout.OrderRollback, "alice", "it hurts"); err != nil {
		t.Fatal(err)
	}
	if w.traffic.Group != fleet.Blue {
		t.Errorf("requests still go to %s: %s", w.traffic.Group, w.d.Explanation)
	}
	// One that could not apply it, or runs something else, is no way back.
	w = newWorld(4, "1.0.0")
	w.groups()
	w.strategy = profile.DefaultStrategy(profile.BlueGreen)
	w.strategy.VerificationPeriod = profile.Duration(time.Minute)
	w.commit("1.1.0")
	w.run(90 * time.Second)
	w.find("web-1").assignment.ApplyError = "disk full"
	if err := w.order(rollout.OrderRollback, "alice", "it hurts"); err != nil {
		t.Fatal(err)
	}
	if w.traffic.Group != fleet.Green {
		t.Errorf("requests were sent to a group that is not well: %s", w.d.Explanation)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if got := rollout.Context("web.production"); got != "sluice/web.production" {
		t.Error(got)
	}
	if got := rollout.Context("check"); got == rollout.CheckContext || !strings.HasPrefix(got, "sluice/check-") {
		t.Errorf("the profile check has the context %s", got)
	}
	long := strings.Repeat("n", 300)
	a, b := rollout.Context(long+"a"), rollout.Context(long+"b")
	if len(a) != 255 || len(b) != 255 || a == b {
		t.Errorf("%d and %d bytes, the same: %t", len(a), len(b), a == b)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	if got := rollout.Describe("one\n two\tthree"); got != "one two three" {
		t.Errorf("%q", got)
	}
	if got := []rune(rollout.Describe(strings.Repeat("ü", 200))); len(got) != 140 || got[139] != '…' {
		t.Errorf("%d runes", len(got))
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	ten := rollout.Progress{Targets: 10, Assigned: 3, Applied: 3, Percent: 30}
	for name, c := range map[string]struct {
		d     rollout.Deployment
		state rollout.StatusState
		text  string
	}{
		"before its first step": {rollout.Deployment{State: rollout.Pending, Version: "1.1.0"}, rollout.StatusPending, "1.1.0 waits to start"},
		"on its way":            {rollout.Deployment{State: rollout.InProgress, Progress: ten}, rollout.StatusPending, "canary 30%, 3 of 10 instances"},
		"waits for a person":    {rollout.Deployment{State: rollout.InProgress, Progress: ten, Awaiting: rollout.AwaitingPromotion}, rollout.StatusPending, "canary 30%, 3 of 10 instances: waits for a person to promote it"},
		"the gate cannot tell": {rollout.Deployment{
			State: rollout.InProgress, Progress: ten, Awaiting: rollout.AwaitingEvidence, Explanation: "canary 30%: 12 requests are too few",
			Verdict: rollout.Verdict{Reason: "12 requests are too few", Metrics: []rollout.MetricCheck{{Name: "apply", Outcome: rollout.Pass}, {Name: "errorRate", Outcome: rollout.Inconclusive}}},
		}, rollout.StatusPending, "canary 30%, 3 of 10 instances: waits for evidence of errorRate"},
		"paused":                       {rollout.Deployment{State: rollout.Paused, Progress: ten}, rollout.StatusPending, "paused at canary 30%, 3 of 10 instances"},
		"the change was bad":           {rollout.Deployment{State: rollout.RolledBack, RollbackBy: "gate", RollbackReason: "error rate 31.0%"}, rollout.StatusFailure, "rolled back to 1.0.0: error rate 31.0%"},
		"a person rolled back":         {rollout.Deployment{State: rollout.RolledBack, RollbackBy: "alice", RollbackReason: "fire"}, rollout.StatusFailure, "rolled back to 1.0.0 by alice: fire"},
		"nobody could tell":            {rollout.Deployment{State: rollout.RolledBack, RollbackBy: "deadline", RollbackReason: "no progress for 30m"}, rollout.StatusError, "rolled back to 1.0.0: no progress for 30m"},
		"stopped, and nobody can tell": {rollout.Deployment{State: rollout.Failed, RollbackBy: "deadline", Explanation: "no progress"}, rollout.StatusError, "no progress"},
		"stopped as bad":               {rollout.Deployment{State: rollout.Failed, RollbackBy: "gate", Explanation: "errors"}, rollout.StatusFailure, "errors"},
		"superseded unstarted":         {rollout.Deployment{State: rollout.Superseded, Explanation: "superseded by 1.2.0"}, rollout.StatusSuccess, "superseded by 1.2.0"},
		"superseded under way":         {rollout.Deployment{State: rollout.Superseded, StartedAt: dawn, Explanation: "superseded by 1.2.0"}, rollout.StatusError, "superseded by 1.2.0"},
		"cancelled":                    {rollout.Deployment{State: rollout.Cancelled, Explanation: "cancelled by alice"}, rollout.StatusError, "cancelled by alice"},
		"a damaged row":                {rollout.Deployment{State: "Dancing"}, rollout.StatusError, "in the unknown state Dancing"},
	} {
		c.d.Commit, c.d.Previous, c.d.Strategy.Type, c.d.Profile = "c1", "1.0.0", profile.Canary, "web.production"
		got, ok := rollout.StatusOf(c.d)
		if !ok || got.State != c.state || got.Description != c.text || got.Context != "sluice/web.production" {
			t.Errorf("%s: %s %q", name, got.State, got.Description)
		}
	}
	if _, ok := rollout.StatusOf(rollout.Deployment{State: rollout.Completed}); ok {
		t.Error("no commit made it, and yet it has a status")
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	made := func(states ...rollout.StatusState) []rollout.Status {
		var out []rollout.Status
		for i, s := range states {
			out = append(out, rollout.Status{Source: "configs", Commit: "c1", Context: fmt.Sprintf("sluice/%d", i), State: s, Description: fmt.Sprintf("text %d", i), DeploymentID: fmt.Sprint(i)})
		}
		return out
	}
	const ok, wait, bad, unsure = rollout.StatusSuccess, rollout.StatusPending, rollout.StatusFailure, rollout.StatusError
	for name, c := range map[string]struct {
		in    []rollout.Status
		state rollout.StatusState
		text  string
		id    string
	}{
		"none is success":             {nil, ok, "no profile changes", ""},
		"one speaks for itself":       {made(wait), wait, "text 0", "0"},
		"all done":                    {made(ok, ok), ok, "all 2 profiles are done", ""},
		"one is left":                 {made(ok, wait, ok), wait, "2 of 3 profiles are done", ""},
		"a failure is worse than all": {made(unsure, bad, wait), bad, "2 of 3 profiles: text 1", ""},
		"not knowing is no success":   {made(ok, unsure, wait), unsure, "1 of 3 profiles: text 1", ""},
	} {
		var tally rollout.Tally
		var first rollout.Status
		for _, status := range c.in {
			tally.Add(status.State, 1)
		}
		if i := slices.IndexFunc(c.in, func(s rollout.Status) bool { return s.State == tally.Worst() }); i >= 0 && tally.Speaks() {
			first = c.in[i]
		}
		got := tally.Aggregate(first)
		if got.Context != "sluice" || got.State != c.state || got.Description != c.text || got.DeploymentID != c.id {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// One forge lets a sender make 500 calls an hour: of a commit that changes thousands of profiles it hears
// the aggregate, and who is wrong where these are few.
func TestAForgeIsToldOfFewProfiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tally rollout.Tally
		state rollout.StatusState
		quiet bool
	}{
		{rollout.Tally{Pending: 100}, rollout.StatusPending, false},
		{rollout.Tally{Pending: 101}, rollout.StatusPending, true},
		{rollout.Tally{Pending: 60, Success: 41}, rollout.StatusSuccess, true},
		{rollout.Tally{Pending: 9999, Failure: 1}, rollout.StatusFailure, false},
		{rollout.Tally{Pending: 9999, Error: 100}, rollout.StatusError, false},
		{rollout.Tally{Pending: 9999, Failure: 50, Error: 51}, rollout.StatusFailure, true},
	} {
		if got := c.tally.Quiet(c.state); got != c.quiet {
			t.Errorf("%+v: quiet about one more in %s is %v", c.tally, c.state, got)
		}
	}
	for done, want := range map[int]string{0: "0% of 10000 profiles are done", 99: "0% of 10000 profiles are done", 9999: "99% of 10000 profiles are done"} {
		if got := (rollout.Tally{Success: done, Pending: 10000 - done}).Aggregate(rollout.Status{}).Description; got != want {
			t.Errorf("with %d done it says %q", done, got)
		}
	}
}

// GitHub takes 1,000 statuses of one context and commit, and refuses the one that tells the end.
func TestProgressLeavesRoomForTheEnd(t *testing.T) {
	t.Parallel()
	var after time.Duration
	for posts := range 901 {
		switch after += rollout.Rest(posts); {
		case posts <= 20 && after > 3*time.Second:
			t.Fatalf("post %d comes after %v: people watch their commit", posts, after)
		case posts == 900 && after < 48*time.Hour:
			t.Fatalf("900 posts within %v", after)
		}
	}
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	d := forward("a")
	d.Commit = "c1"
	dec := rollout.Supersede(d, "superseded by 1.2.0", dawn)
	if dec.Next.State != rollout.Superseded || !dec.Changed || len(dec.Status) != 1 || dec.Status[0].State != rollout.StatusSuccess || len(dec.Assign) != 0 {
		t.Errorf("%+v", dec)
	}
}

// A rollback knows only the version to bring back; everything else may be gone.
func TestNewRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(3, "1.0.0")
	w.run(time.Second)
	w.processes[1].silent = true
	w.processes[1].instance.LastHeartbeat = w.now.Add(-30 * time.Minute)
	w.current = "2.0.0"
	for _, p := range w.processes {
		p.assignment.Version, p.assignment.Applied = "2.0.0", "2.0.0"
	}
	r := profile.Record{Name: "web.production", Service: "web", Environment: profile.Production}
	dec, err := rollout.NewRollback(r, profile.Version{Number: "1.0.0", Hash: "h1.0.0"}, profile.Version{Number: "2.0.0", Hash: "h2.0.0", Source: "configs", Commit: "c2"},
		"alice", "fire", w.snapshot(), "r", w.now)
	if err != nil {
		t.Fatal(err)
	}
	if len(dec.Assign) != 3 || dec.Current != "1.0.0" || dec.Hold == nil || dec.Hold.RefusedHash != "h2.0.0" || dec.Hold.PinnedVersion != "1.0.0" {
		t.Errorf("silent ones too: %+v, %+v", dec.Assign, dec.Hold)
	}
	if dec.Next.State != rollout.InProgress || !dec.Wake.Equal(w.now) {
		t.Errorf("%s", dec.Next.State)
	}
	if len(dec.Status) != 1 || dec.Status[0].Commit != "c2" || dec.Status[0].State != rollout.StatusFailure {
		t.Errorf("the commit of what was taken back is told: %+v", dec.Status)
	}
	if dec.Next.Previous != "2.0.0" {
		t.Errorf("from %s", dec.Next.Previous)
	}
	for _, decide := range []func(rollout.Deployment, rollout.Snapshot, string, string, time.Time) (rollout.Decision, error){
		rollout.Pause, rollout.Promote, rollout.Cancel, rollout.RollBack,
	} {
		var e *rollout.StateError
		if _, err := decide(dec.Next, w.snapshot(), "alice", "no", w.now); !errors.As(err, &e) || e.Why == "" {
			t.Errorf("there is no rollback of a rollback: %v", err)
		}
	}
}

func TestInstanceThatCannotGoBackIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(3, "1.0.0")
	w.run(30 * time.Second)
	w.strategy = profile.DefaultStrategy(profile.Direct)
	w.commit("1.1.0")
	w.run(5 * time.Second)
	w.processes[2].mute = true
	if err := w.order(rollout.OrderRollback, "alice", "fire"); err != nil {
		t.Fatal(err)
	}
	w.run(2 * time.Second)
	if p := w.d.Progress; p.Targets != 3 || p.Applied != 1 || p.Assigned != 0 || p.Percent != 100 {
		t.Errorf("one of three still runs it: %+v", p)
	}
	w.run(8 * time.Minute)
	if w.d.State != rollout.RolledBack || !strings.Contains(w.d.Explanation, "web-3") || !strings.Contains(w.d.Explanation, "fire") {
		t.Errorf("%s: %s", w.d.State, w.d.Explanation)
	}
}

func TestHealthAfterARollback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after  behaviour
		health bool
		quiet  bool
		want   rollout.HealthRestored
	}{
		"comes back":           {behaviour{latency: 20}, true, false, rollout.HealthReturned},
		"errors stay":          {behaviour{latency: 20, errors: 40}, true, false, rollout.HealthNotReturned},
		"slowness stays":       {behaviour{latency: 400}, true, false, rollout.HealthNotReturned},
		"sickness stays":       {behaviour{latency: 20, unhealthy: true}, true, false, rollout.HealthNotReturned},
		"nobody says":          {behaviour{}, true, true, rollout.HealthNoData},
		"nobody wants to know": {behaviour{}, false, false, rollout.HealthNoData},
	} {
		w := newWorld(4, "1.0.0")
		w.health.Enabled = c.health
		w.run(time.Minute)
		w.commit("1.1.0")
		w.run(20 * time.Second)
		if err := w.order(rollout.OrderRollback, "alice", "fire"); err != nil {
			t.Fatal(err)
		}
		w.behaves["all"] = c.after
		w.run(time.Second)
		for _, p := range w.processes {
			p.silent = c.quiet
		}
		w.run(4 * time.Minute)
		if w.d.State != rollout.RolledBack || w.d.HealthRestored != c.want {
			t.Errorf("%s: %s %q, %s", name, w.d.State, w.d.HealthRestored, w.d.Explanation)
		}
	}
}

func TestDamagedStrategyIsReadWithCare(t *testing.T) {
	t.Parallel()
	for name, damaged := range map[string]profile.Strategy{
		"a batch size that is none": {Type: profile.Rolling, BatchSize: "many"},
		"no type":                   {},
		"a type of another release": {Type: "Wave"},
	} {
		w := newWorld(4, "1.0.0")
		w.strategy = damaged
		w.strategy.ProgressDeadline = profile.Duration(10 * time.Minute)
		w.run(time.Second)
		w.commit("1.1.0")
		if dec := w.step(); len(dec.Assign) != 1 {
			t.Errorf("%s: %d at once", name, len(dec.Assign))
		}
	}
}

// What an earlier deployment of the same version left behind does not count as
// given by this one: it is watched from the start.
func TestTheSameVersionAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(10, "1.0.0")
	w.strategy.Steps = []int{30, 100}
	w.run(time.Minute)
	w.commit("1.1.0")
	w.run(10 * time.Second)
	w.strategy.Steps = []int{10, 100}
	w.commit("1.1.0")
	dec := w.step()
	given := map[string]int{}
	for _, a := range dec.Assign {
		given[a.Version]++
	}
	if given["1.1.0"] != 1 || given["1.0.0"] != 2 {
		t.Errorf("one of three keeps it, two go back: %v", given)
	}
}

// A deployment to chosen instances says nothing of the profile.
func TestChosenInstancesDoNotMakeAVersionCurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(1, "1.0.0")
	w.strategy = profile.DefaultStrategy(profile.Direct)
	w.run(time.Minute)
	w.commit("1.1.0")
	w.d.Selector.Instances = []string{"web-1"}
	w.run(2 * time.Minute)
	if w.d.State != rollout.Completed || w.current != "1.0.0" {
		t.Errorf("%s, stable %s", w.d.State, w.current)
	}
}

func TestNoWayBackToTheSameContent(t *testing.T) {
	t.Parallel()
	d := forward("a")
	d.State, d.PreviousHash = rollout.InProgress, d.Hash
	if _, err := rollout.RollBack(d, rollout.Snapshot{}, "alice", "fire", dawn); !errors.Is(err, rollout.ErrNoWayBack) {
		t.Errorf("%v", err)
	}
}

// Who waits for a person waits, also when traffic goes quiet meanwhile; an
// updated instance that is silent for 20 seconds is no evidence.
func TestWaitingForAPersonOutlastsTheTraffic(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.Steps, w.strategy.PhaseInterval, w.strategy.AutoPromote = []int{25, 100}, profile.Duration(time.Minute), false
	w.run(time.Minute)
	w.commit("1.1.0")
	w.run(2 * time.Minute)
	w.requests = 0
	w.run(3 * time.Hour)
	if w.d.Awaiting != rollout.AwaitingPromotion || w.d.Verdict.Outcome != rollout.Inconclusive {
		t.Errorf("%s/%s: %s", w.d.State, w.d.Awaiting, w.d.Verdict.Reason)
	}
}

func TestSilenceIsNoEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.strategy.Steps, w.strategy.PhaseInterval = []int{25, 100}, profile.Duration(70*time.Second)
	w.run(time.Minute)
	w.commit("1.1.0")
	w.run(35 * time.Second)
	for _, p := range w.processes {
		p.silent = p.assignment.Version == "1.1.0"
	}
	w.run(time.Minute)
	if w.d.Phase != 0 || w.d.Awaiting != rollout.AwaitingEvidence || !strings.Contains(w.d.Verdict.Reason, "no heartbeat for 20s of web-") {
		t.Errorf("phase %d: %s", w.d.Phase+1, w.d.Explanation)
	}
}

// TestCancelBeforeItStartedSendsStraysHome: the canary of a deployment that was
// superseded is on a version that nobody watches any more.
func TestCancelBeforeItStartedSendsStraysHome(t *testing.T) {
	t.Parallel()
	for _, o := range []rollout.Order{rollout.OrderCancel, rollout.OrderRollback} {
		w := newWorld(4, "1.0.0")
		w.run(time.Second)
		w.commit("1.0.1")
		w.run(5 * time.Second)
		w.commit("1.0.2")
		if err := w.order(o, "alice", "not now"); err != nil || w.d.State != rollout.Cancelled {
			t.Fatalf("%s: %s %v", o, w.d.State, err)
		}
		w.run(5 * time.Second)
		for _, p := range w.processes {
			if p.assignment.Version != "1.0.0" {
				t.Errorf("%s: %s is left with %s", o, p.assignment.InstanceID, p.assignment.Version)
			}
		}
	}
}

// TestMisfitSendsStraysHome: no more does a successor whose strategy cannot go
// through the fleet leave them there.
func TestMisfitSendsStraysHome(t *testing.T) {
	t.Parallel()
	w := newWorld(4, "1.0.0")
	w.run(time.Second)
	w.commit("1.0.1")
	w.run(5 * time.Second)
	w.strategy = profile.DefaultStrategy(profile.BlueGreen) // nobody is blue or green
	w.commit("1.0.2")
	w.run(5 * time.Second)
	if w.d.State != rollout.Failed || w.d.Version != "1.0.2" {
		t.Fatalf("%s is %s: %s", w.d.Version, w.d.State, w.d.Explanation)
	}
	for _, p := range w.processes {
		if p.assignment.Version != "1.0.0" {
			t.Errorf("%s is left with %s", p.assignment.InstanceID, p.assignment.Version)
		}
	}
}
