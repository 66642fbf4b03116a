package rollout

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// ErrRefused is wrapped by the errors of ValidateNew: a deployment that must
// not be made.
var ErrRefused = errors.New("deployment refused")

// Strategy answers in plain values how a version goes through a fleet. It is
// asked anew at every step, so that its numbers follow the fleet.
type Strategy interface {
	// Phases is how many phases a fleet of this shape takes, at least one.
	Phases(f Shape) int
	// Phase is one of them, from 0. A fleet that shrank may be asked for a phase
	// that it does not have any more: its last one is meant then.
	Phase(i int, f Shape) Phase
}

// Choosy is a Strategy that does not go through every fleet.
type Choosy interface {
	// Refuses says why it cannot go through these live targets and what to do
	// about it, "" when it can.
	Refuses(live []*Target) string
}

// strategies lists every strategy.
var strategies = map[profile.StrategyType]func(Deployment) Strategy{
	profile.Canary:    func(d Deployment) Strategy { return canary{d.Strategy} },
	profile.Rolling:   func(d Deployment) Strategy { return rolling{d.Strategy} },
	profile.BlueGreen: func(d Deployment) Strategy { return blueGreen{d.Strategy, d.Group} },
	profile.Direct:    func(d Deployment) Strategy { return direct{d.Strategy} },
}

// strategyOf is a deployment's strategy. A rollback has none: it goes to
// everybody at once.
func strategyOf(d Deployment) Strategy {
	if of, ok := strategies[d.Strategy.Type]; ok {
		return of(d)
	}
	return rolling{d.Strategy} // one at a time when a row is damaged: the careful reading
}

// Shape is what a strategy may know of a fleet.
type Shape struct {
	Size   int            // live targets, and silent ones that hold the version
	Groups map[string]int // how many of them are in each group
}

// Phase is what a strategy wants of a fleet before it goes on.
type Phase struct {
	Name     string        // for people; "" when its percent says enough
	Share    int           // how many targets have the version
	Percent  int           // names the share
	Group    string        // when not "", only targets of this group get the version
	Traffic  string        // when not "", requests go to this group
	Quiet    bool          // no request need reach the updated targets: what is missing is no missing evidence
	Bake     time.Duration // how long it is watched once its targets have acknowledged
	InFlight int           // bounds the targets that were assigned and have not answered; 0 is no bound
}

// PhaseEnds is when the present phase will have been watched long enough; zero
// while that is not known.
func (d Deployment) PhaseEnds() time.Time {
	if d.State != InProgress || d.Kind != Forward || d.PhaseSettledAt.IsZero() {
		return time.Time{}
	}
	return d.PhaseSettledAt.Add(strategyOf(d).Phase(d.Phase, Shape{Size: d.Progress.Targets}).Bake)
}

// ValidateNew says whether a deployment may be made on a server of this reach.
// Its errors wrap ErrRefused and say the way out.
func ValidateNew(d Deployment, reach Reach) error {
	if d.Kind != Forward {
		return nil
	}
	if err := reach.refuse(d); err != nil {
		return err
	}
	const many = 1000 // instances, where a first phase of everybody shows
	everybody := strategyOf(d).Phase(0, Shape{Size: many}).Share == many
	if d.Selector.Environment == profile.Production && everybody && !d.Proven && d.Force == "" {
		return fmt.Errorf("%w: version %s never completed on %s, so it cannot go Direct to Production, to every instance at once: use Canary or Rolling in steps, or force it with a reason", ErrRefused, d.Version, d.Profile)
	}
	return nil
}

// ValidateFleet says whether a deployment's strategy can go through its fleet as
// it is now. Its errors wrap ErrRefused and say the way out.
func ValidateFleet(d Deployment, snap Snapshot, now time.Time) error {
	if d.Kind != Forward {
		return nil
	}
	s := newStep(d, snap, now)
	if why := s.misfit(s.sortTargets()); why != "" {
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	return nil
}

// misfit says why the strategy cannot go through the fleet, "" when it can.
func (s *step) misfit(c crowd) string {
	choosy, ok := s.how.(Choosy)
	if !ok {
		return ""
	}
	return choosy.Refuses(append(slices.Clone(c.updated), c.waiting...))
}

// share is percent of n, rounded up, at least one and at most n.
func share(percent, n int) int {
	return min(n, max(1, (n*percent+99)/100))
}
