package reconciler

import (
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// course is how a version would go through the fleet as it is now.
type course struct {
	Strategy profile.StrategyType
	rollout.Outlook
	Manual bool   // each phase waits for a person
	Freeze string // in force, "" without one
	Window string // the rule of the deny window that is open, "" when none is
	Until  time.Time
}

// plot says how the deployment of a prospect would go; now is a time by the
// database's clock.
func (p prospect) plot(snap rollout.Snapshot, now time.Time) prospect {
	d := *p.deployment
	c := course{Strategy: d.Strategy.Type, Outlook: rollout.Foresee(d, snap, now), Manual: !d.Strategy.AutoPromote}
	if snap.Freeze.InForce(now) {
		c.Freeze = snap.Freeze.String()
	}
	if until, rule, denied := d.Windows.Denies(now); denied {
		c.Window, c.Until = rule, until
	}
	p.Course = &c
	return p
}
