package rollout

import (
	"time"

	"github.com/sluicehq/sluice/profile"
)

// direct goes to all targets at once, at most MaxConcurrency at a time.
type direct struct{ profile.Strategy }

func (direct) phases(int) int       { return 1 }
func (direct) share(_, n int) int   { return n }
func (direct) percent(int, int) int { return 100 }
func (direct) bake() time.Duration  { return 0 }
func (d direct) inFlight() int      { return d.MaxConcurrency }
