package fleet_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

func TestLiveness(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for silent, want := range map[time.Duration]fleet.Liveness{
		0:                               fleet.Live,
		-time.Minute:                    fleet.Live, // a clock that went back
		2*time.Minute - time.Nanosecond: fleet.Live,
		2 * time.Minute:                 fleet.Stale,
		time.Hour - time.Nanosecond:     fleet.Stale,
		time.Hour:                       fleet.Gone,
	} {
		if got := (fleet.Instance{LastHeartbeat: now.Add(-silent)}).Liveness(now); got != want {
			t.Errorf("silent for %s: %s, want %s", silent, got, want)
		}
	}
	if got := (fleet.Instance{}).Liveness(now); got != fleet.Gone {
		t.Errorf("never heard of: %s", got)
	}
}

func TestSelectorMatches(t *testing.T) {
	t.Parallel()
	web := fleet.Instance{ID: "a", Service: "web", Environment: profile.Production, Labels: map[string]string{"region": "eu", "tier": "1"}}
	for name, c := range map[string]struct {
		s    fleet.Selector
		want bool
	}{
		"service and environment":       {fleet.Selector{Service: "web", Environment: profile.Production}, true},
		"another service":               {fleet.Selector{Service: "db", Environment: profile.Production}, false},
		"another environment":           {fleet.Selector{Service: "web", Environment: profile.Staging}, false},
		"every label must match":        {fleet.Selector{Service: "web", Environment: profile.Production, Labels: map[string]string{"region": "eu", "tier": "2"}}, false},
		"labels that match":             {fleet.Selector{Service: "web", Environment: profile.Production, Labels: map[string]string{"region": "eu"}}, true},
		"a label that it does not have": {fleet.Selector{Service: "web", Environment: profile.Production, Labels: map[string]string{"zone": "b"}}, false},
		"one of the named instances":    {fleet.Selector{Service: "web", Environment: profile.Production, Instances: []string{"b", "a"}}, true},
		"none of the named instances":   {fleet.Selector{Service: "web", Environment: profile.Production, Instances: []string{"b"}}, false},
		"nothing selects nothing":       {fleet.Selector{}, false},
	} {
		if got := c.s.Matches(web); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a    fleet.Assignment
		want bool
	}{
		"runs what it should":                {fleet.Assignment{Version: "2", Generation: 5, Applied: "2", AppliedGeneration: 5}, true},
		"heard of a newer generation":        {fleet.Assignment{Version: "2", Generation: 5, Applied: "2", AppliedGeneration: 6}, true},
		"runs the version before":            {fleet.Assignment{Version: "2", Generation: 5, Applied: "1", AppliedGeneration: 5}, false},
		"right version, older generation":    {fleet.Assignment{Version: "2", Generation: 5, Applied: "2", AppliedGeneration: 4}, false},
		"could not apply it the last time":   {fleet.Assignment{Version: "2", Generation: 5, Applied: "2", AppliedGeneration: 5, ApplyError: "no"}, false},
		"nothing assigned, nothing to prove": {fleet.Assignment{}, true},
	} {
		if got := c.a.Acknowledged(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	five, nine := 5.0, 9.0
	fast, slow, slower := 10.0, 40.0, 90.0
	w := fleet.Aggregate([]fleet.Sample{
		{InstanceID: "a", Status: fleet.StatusHealthy, Counted: true, Requests: 100, Errors: 3, ErrorRate: &nine, Custom: map[string]float64{"queue": 4}},
		{InstanceID: "a", Status: fleet.StatusUnhealthy, Counted: true, Requests: 10, Errors: 50},
		{InstanceID: "b", Status: fleet.StatusUnknown, ErrorRate: &five, P99: &slow, Custom: map[string]float64{"queue": 8}},
		{InstanceID: "c", Status: fleet.StatusDegraded, ErrorRate: &nine, P99: &fast},
		{InstanceID: "d", P99: &slower},
	})
	if w.Instances != 4 || w.Samples != 5 || w.Unhealthy != 1 || w.Unknown != 2 || w.Counted != 2 {
		t.Errorf("counts: %+v", w)
	}
	if w.Requests != 110 || w.Errors != 13 {
		t.Errorf("%d errors of %d requests: there are never more errors than requests", w.Errors, w.Requests)
	}
	if w.RatedSamples != 2 || w.RatedErrors != 7 {
		t.Errorf("rates of those that do not count: %v of %d", w.RatedErrors, w.RatedSamples)
	}
	if w.RatedP99 != 40 {
		t.Errorf("the median of the p99s is %v", w.RatedP99)
	}
	if w.Custom["queue"] != 6 {
		t.Errorf("the mean of a custom metric is over those who sent it: %v", w.Custom)
	}
}

func TestAggregateDoesNotOverflow(t *testing.T) {
	t.Parallel()
	huge := fleet.Sample{Counted: true, Requests: 1 << 63, Errors: 1 << 63}
	w := fleet.Aggregate([]fleet.Sample{huge, huge, huge})
	if rate, ok := w.ErrorRate(); !ok || rate != 100 {
		t.Errorf("%v %t", rate, ok)
	}
}

func TestErrorRate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		w    fleet.Window
		want float64
		ok   bool
	}{
		"counted":                      {fleet.Window{Requests: 200, Errors: 3}, 1.5, true},
		"counts are better than rates": {fleet.Window{Requests: 100, Errors: 1, RatedSamples: 1, RatedErrors: 50}, 1, true},
		"rates at their word":          {fleet.Window{RatedSamples: 2, RatedErrors: 4}, 4, true},
		"no requests":                  {fleet.Window{Samples: 9, Counted: 9}, 0, false},
	} {
		if got, ok := c.w.ErrorRate(); got != c.want || ok != c.ok {
			t.Errorf("%s: %v %t", name, got, ok)
		}
	}
}

func TestP99(t *testing.T) {
	t.Parallel()
	h := fleet.Histogram{Bounds: []float64{10, 20}, Counts: []uint64{90, 10, 0}}
	if ms, ok := (fleet.Window{Latency: h, RatedP99: 500}).P99(); !ok || ms != 19 {
		t.Errorf("the histogram is better than a rate: %v %t", ms, ok)
	}
	if ms, ok := (fleet.Window{RatedP99: 500}).P99(); !ok || ms != 500 {
		t.Errorf("taken at its word: %v %t", ms, ok)
	}
	if _, ok := (fleet.Window{}).P99(); ok {
		t.Error("nothing is known of nothing")
	}
}

// Samples of an instance that are joined say together what they said one by one,
// and where they would not they stay apart.
func TestJoinedSamplesAddUpToTheSame(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	beat := func(change func(s *fleet.Sample)) func(at time.Time) fleet.Sample {
		return func(at time.Time) fleet.Sample {
			s := fleet.Sample{
				InstanceID: "i-1", Since: at, At: at.Add(5 * time.Second), Status: fleet.StatusHealthy, Counted: true, Requests: 20, Errors: 3,
				Latency: fleet.Histogram{Bounds: []float64{10, 20}, Counts: []uint64{12, 7, 1}},
			}
			change(&s)
			return s
		}
	}
	same := beat(func(*fleet.Sample) {})
	for name, c := range map[string]struct {
		beat func(time.Time) fleet.Sample
		want int // samples left of six, each second of which is this one
	}{
		"alike":                      {same, 1},
		"unhealthy":                  {beat(func(s *fleet.Sample) { s.Status = fleet.StatusUnhealthy }), 6},
		"says not how it is":         {beat(func(s *fleet.Sample) { s.Status = "" }), 6},
		"more errors than requests":  {beat(func(s *fleet.Sample) { s.Errors = 90 }), 1},
		"other bounds":               {beat(func(s *fleet.Sample) { s.Latency.Bounds = []float64{15, 30} }), 1},
		"no latencies":               {beat(func(s *fleet.Sample) { s.Latency = fleet.Histogram{} }), 1},
		"a p99 beside its latencies": {beat(func(s *fleet.Sample) { s.P99 = new(70.0) }), 1},
		"a p99 instead of them":      {beat(func(s *fleet.Sample) { s.P99, s.Latency = new(70.0), fleet.Histogram{} }), 6},
		"rates":                      {beat(func(s *fleet.Sample) { s.Counted, s.ErrorRate = false, new(2.0) }), 6},
		"a custom metric":            {beat(func(s *fleet.Sample) { s.Custom = map[string]float64{"queue": 4} }), 6},
		"of another":                 {beat(func(s *fleet.Sample) { s.InstanceID = "i-2" }), 6},
		"after a gap":                {beat(func(s *fleet.Sample) { s.Since = s.Since.Add(time.Second) }), 4},
	} {
		var apart, joined []fleet.Sample
		for i := range 6 {
			make := same
			if i%2 == 1 {
				make = c.beat
			}
			at := began.Add(time.Duration(i) * 5 * time.Second)
			apart = append(apart, make(at))
			if last := len(joined) - 1; last >= 0 {
				if one, ok := joined[last].Join(make(at)); ok {
					joined[last] = one
					continue
				}
			}
			joined = append(joined, make(at))
		}
		if len(joined) != c.want {
			t.Errorf("%s: %d are left, want %d", name, len(joined), c.want)
		}
		if got, want := fleet.Aggregate(joined), fleet.Aggregate(apart); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: they add up to %+v, want %+v", name, got, want)
		}
	}
}
