package rollout

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// ErrRefused is wrapped by the errors of ValidateNew: a deployment that must
// not be made.
var ErrRefused = errors.New("deployment refused")

// strategy answers in plain values how a version goes through n live targets.
type strategy interface {
	// phases is how many phases there are for n targets, at least one.
	phases(n int) int
	// share is how many of n targets have the version in a phase, at least one.
	share(phase, n int) int
	// percent names the phase's share.
	percent(phase, n int) int
	// bake is how long a phase is watched after its targets have acknowledged.
	bake() time.Duration
	// inFlight bounds the targets that were assigned and have not answered; 0 is no bound.
	inFlight() int
}

// strategyOf lists every strategy. A rollback has none: it goes to everybody at once.
func strategyOf(d Deployment) strategy {
	switch d.Strategy.Type {
	case profile.Canary:
		return canary{d.Strategy}
	case profile.Direct:
		return direct{d.Strategy}
	}
	return rolling{d.Strategy} // one at a time when a row is damaged: the careful reading
}

// ValidateNew says whether a deployment may be made. Its errors wrap ErrRefused
// and say the way out.
func ValidateNew(d Deployment) error {
	if d.Kind != Forward {
		return nil
	}
	if d.Strategy.Type == profile.BlueGreen {
		return fmt.Errorf("%w: strategy BlueGreen needs instances in the groups blue and green, which this server does not switch yet: use Canary, Rolling or Direct", ErrRefused)
	}
	for _, m := range d.Health.Metrics {
		if m.Provider != "" && m.Provider != "heartbeat" && m.Provider != "custom" {
			return fmt.Errorf("%w: metric %s: provider %q is not one that this server can ask: use custom, a metric of the heartbeats", ErrRefused, m.Name, m.Provider)
		}
	}
	const many = 1000 // instances, where a first phase of everybody shows
	everybody := strategyOf(d).share(0, many) == many
	if d.Selector.Environment == profile.Production && everybody && !d.Proven && d.Force == "" {
		return fmt.Errorf("%w: version %s never completed on %s, so it cannot go Direct to Production, to every instance at once: use Canary or Rolling in steps, or force it with a reason", ErrRefused, d.Version, d.Profile)
	}
	return nil
}

// share is percent of n, rounded up, at least one and at most n.
func share(percent, n int) int {
	return min(n, max(1, (n*percent+99)/100))
}
