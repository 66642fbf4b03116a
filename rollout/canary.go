package rollout

import "github.com/sluicehq/sluice/profile"

// canary goes through steps of percent, each watched for the phase interval.
type canary struct{ profile.Strategy }

// Phases is one a step.
func (c canary) Phases(Shape) int { return max(1, len(c.Steps)) }

// Phase is a step: its percent of the targets, rounded up.
func (c canary) Phase(i int, f Shape) Phase {
	percent := c.Steps[min(i, len(c.Steps)-1)]
	return Phase{Share: share(percent, f.Size), Percent: percent, Bake: c.PhaseInterval.Std(), InFlight: c.MaxConcurrency}
}
