package gitsource_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/gitsource"
)

func TestNextPoll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		interval time.Duration
		failures int
		r        float64
		want     time.Duration
	}{
		"the middle of the spread":              {time.Minute, 0, 0.5, time.Minute},
		"a tenth early":                         {time.Minute, 0, 0, 54 * time.Second},
		"a tenth late":                          {time.Minute, 0, 1, 66 * time.Second},
		"each failure doubles":                  {time.Minute, 2, 0.5, 4 * time.Minute},
		"up to fifteen minutes":                 {time.Minute, 4, 0.5, 15 * time.Minute},
		"however many failures":                 {time.Minute, 1 << 30, 0.5, 15 * time.Minute},
		"a long interval is not cut":            {time.Hour, 0, 0.5, time.Hour},
		"nor raised":                            {time.Hour, 7, 0.5, time.Hour},
		"never under a second":                  {0, 0, 0, time.Second},
		"a negative interval is none":           {-time.Hour, 0, 0, time.Second},
		"negative failures are none":            {time.Minute, -3, 0.5, time.Minute},
		"a random number out of range is bound": {time.Minute, 0, 7, 66 * time.Second},
	} {
		if got := gitsource.NextPoll(c.interval, c.failures, c.r); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
