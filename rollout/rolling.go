package rollout

import (
	"time"

	"github.com/sluicehq/sluice/profile"
)

// rolling goes batch by batch, each watched for the batch interval.
type rolling struct{ profile.Strategy }

func (r rolling) batch(n int) int {
	size, percent, err := profile.ParseBatchSize(r.BatchSize)
	if err != nil {
		return 1 // refused when the profile was read; one at a time is the careful reading
	}
	if percent {
		return share(size, max(1, n))
	}
	return max(1, size)
}

func (r rolling) phases(n int) int {
	batch := r.batch(n)
	return max(1, (n+batch-1)/batch)
}

func (r rolling) share(phase, n int) int { return min(n, (phase+1)*r.batch(n)) }

func (r rolling) percent(phase, n int) int {
	if n == 0 {
		return 100
	}
	return 100 * r.share(phase, n) / n
}

func (r rolling) bake() time.Duration { return r.BatchInterval.Std() }
func (r rolling) inFlight() int       { return r.MaxConcurrency }
