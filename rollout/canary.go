package rollout

import (
	"time"

	"github.com/sluicehq/sluice/profile"
)

// canary goes through steps of percent, each watched for the phase interval.
type canary struct{ profile.Strategy }

func (c canary) phases(int) int           { return max(1, len(c.Steps)) }
func (c canary) share(phase, n int) int   { return share(c.percent(phase, n), n) }
func (c canary) percent(phase, _ int) int { return c.Steps[min(phase, len(c.Steps)-1)] }
func (c canary) bake() time.Duration      { return c.PhaseInterval.Std() }
func (c canary) inFlight() int            { return c.MaxConcurrency }
