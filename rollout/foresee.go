package rollout

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// Outlook is how a deployment that is not made yet would go through its fleet as
// it is now.
type Outlook struct {
	Live   int // instances that it would go to
	Phases []Phase
	Misfit string // why the strategy cannot go through the fleet, "" when it can
}

// AtLeast is how long its phases are watched for, all together.
func (o Outlook) AtLeast() (sum time.Duration) {
	for _, p := range o.Phases {
		sum += p.Bake
	}
	return sum
}

// Foresee says how the deployment would go, were it made now.
func Foresee(d Deployment, snap Snapshot, now time.Time) Outlook {
	if d.Strategy.Type == profile.BlueGreen {
		d.Group = fleet.OtherGroup(snap.Traffic.Active())
	}
	s := newStep(d, snap, now)
	c := s.sortTargets()
	f := c.shape()
	out := Outlook{Live: c.live, Misfit: s.misfit(c)}
	for i := range s.how.Phases(f) {
		out.Phases = append(out.Phases, s.how.Phase(i, f))
	}
	return out
}
