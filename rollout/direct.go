package rollout

import "github.com/sluicehq/sluice/profile"

// direct goes to all targets at once, at most MaxConcurrency at a time.
type direct struct{ profile.Strategy }

// Phases is one.
func (direct) Phases(Shape) int { return 1 }

// Phase is everybody.
func (d direct) Phase(_ int, f Shape) Phase {
	return Phase{Share: f.Size, Percent: 100, InFlight: d.MaxConcurrency}
}
