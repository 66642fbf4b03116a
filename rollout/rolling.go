package rollout

import "github.com/sluicehq/sluice/profile"

// rolling goes batch by batch, each watched for the batch interval.
type rolling struct{ profile.Strategy }

// Phases is one a batch.
func (r rolling) Phases(f Shape) int {
	batch := r.batch(f.Size)
	return max(1, (f.Size+batch-1)/batch)
}

// Phase is a batch: so many targets more than the one before.
func (r rolling) Phase(i int, f Shape) Phase {
	p := Phase{Share: min(f.Size, (i+1)*r.batch(f.Size)), Percent: 100, Bake: r.BatchInterval.Std(), InFlight: r.MaxConcurrency}
	if f.Size > 0 {
		p.Percent = 100 * p.Share / f.Size
	}
	return p
}

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
