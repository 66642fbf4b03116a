package fleet_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func TestLiveness(t *testing.T) {
	t.Parallel()
	for silent, want := range map[time.Duration]fleet.Liveness{
		0: fleet.Live, 119 * time.Second: fleet.Live, 2 * time.Minute: fleet.Stale, 59 * time.Minute: fleet.Stale, time.Hour: fleet.Gone, -time.Minute: fleet.Live,
	} {
		if got := (fleet.Instance{LastHeartbeat: now.Add(-silent)}).Liveness(now); got != want {
			t.Errorf("silent for %s: %s, want %s", silent, got, want)
		}
	}
}

func TestSelector(t *testing.T) {
	t.Parallel()
	i := fleet.Instance{ID: "a", Service: "s", Environment: profile.Production, Labels: map[string]string{"region": "eu", "zone": "1"}}
	for _, tt := range []struct {
		rule string
		s    fleet.Selector
		want bool
	}{
		{"service and environment", fleet.Selector{Service: "s", Environment: profile.Production}, true},
		{"another service", fleet.Selector{Service: "t", Environment: profile.Production}, false},
		{"another environment", fleet.Selector{Service: "s", Environment: profile.Staging}, false},
		{"all labels", fleet.Selector{Service: "s", Environment: profile.Production, Labels: map[string]string{"region": "eu"}}, true},
		{"one label differs", fleet.Selector{Service: "s", Environment: profile.Production, Labels: map[string]string{"region": "eu", "zone": "2"}}, false},
		{"named", fleet.Selector{Service: "s", Environment: profile.Production, Instances: []string{"b", "a"}}, true},
		{"not named", fleet.Selector{Service: "s", Environment: profile.Production, Instances: []string{"b"}}, false},
	} {
		if got := tt.s.Matches(i); got != tt.want {
			t.Errorf("%s: %v", tt.rule, got)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	t.Parallel()
	good := fleet.Assignment{Version: "2", Generation: 5, Applied: "2", AppliedGeneration: 5}
	if !good.Acknowledged() {
		t.Error("it runs what it should")
	}
	for what, change := range map[string]func(*fleet.Assignment){
		"another version":     func(a *fleet.Assignment) { a.Applied = "1" },
		"an older generation": func(a *fleet.Assignment) { a.AppliedGeneration = 4 },
		"an error":            func(a *fleet.Assignment) { a.ApplyError = "no" },
	} {
		a := good
		if change(&a); a.Acknowledged() {
			t.Errorf("%s acknowledges", what)
		}
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	a := fleet.Histogram{Bounds: []float64{10, 100}, Counts: []uint64{90, 10, 0}}
	b := fleet.Histogram{Bounds: []float64{50, 100, 200}, Counts: []uint64{0, 0, 100, 5}}
	merged := a.Merge(b)
	if merged.Total() != 205 || len(merged.Bounds) != 4 {
		t.Errorf("merged %+v", merged)
	}
	if err := merged.Validate(); err != nil {
		t.Error(err)
	}
	if got := (fleet.Histogram{}).Merge(a); got.Total() != 100 {
		t.Errorf("nothing and a are %+v", got)
	}
	if got := a.Merge(fleet.Histogram{}); got.Total() != 100 {
		t.Errorf("a and nothing are %+v", got)
	}
	if p, ok := a.Quantile(0.95); !ok || p < 10 || p > 100 {
		t.Errorf("p95 is %v, %v", p, ok)
	}
	if p, ok := b.Quantile(1); !ok || p != 200 {
		t.Errorf("what lies above the last bound counts as it: %v, %v", p, ok)
	}
	if _, ok := (fleet.Histogram{}).Quantile(0.99); ok {
		t.Error("nothing has a p99")
	}
	if above := a.Above(55); above != 5 {
		t.Errorf("%v above the middle of the second bucket, want 5", above)
	}
	if above := b.Above(1000); above != 5 {
		t.Errorf("%v above what no bound reaches, want 5", above)
	}
	for what, h := range map[string]fleet.Histogram{
		"a count too few": {Bounds: []float64{1, 2}, Counts: []uint64{1, 2}},
		"falling bounds":  {Bounds: []float64{2, 1}, Counts: []uint64{1, 2, 3}},
		"no number":       {Bounds: []float64{math.NaN()}, Counts: []uint64{1, 2}},
		"infinite":        {Bounds: []float64{math.Inf(1)}, Counts: []uint64{1, 2}},
		"not positive":    {Bounds: []float64{0}, Counts: []uint64{1, 2}},
		"too much":        {Bounds: []float64{1}, Counts: []uint64{math.MaxUint64, math.MaxUint64}},
		"too many bounds": {Bounds: make([]float64, 300), Counts: make([]uint64, 301)},
	} {
		if err := h.Validate(); !errors.Is(err, fleet.ErrHistogram) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := (fleet.Histogram{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	f := func(v float64) *float64 { return &v }
	w := fleet.Aggregate([]fleet.Sample{
		{InstanceID: "a", Counted: true, Requests: 100, Errors: 5, Status: fleet.StatusUnhealthy, Latency: fleet.Histogram{Bounds: []float64{10}, Counts: []uint64{100, 0}}},
		{InstanceID: "a", Counted: true, Requests: 100, Errors: 200, Custom: map[string]float64{"queue": 4}},
		{InstanceID: "b", ErrorRate: f(2), P99: f(30), Custom: map[string]float64{"queue": 8}},
		{InstanceID: "c", ErrorRate: f(4), P99: f(10)},
	})
	if w.Instances != 3 || w.Samples != 4 || w.Unhealthy != 1 || w.Requests != 200 || w.Errors != 105 || w.RatedErrors != 3 || w.RatedP99 != 30 || w.Custom["queue"] != 6 {
		t.Errorf("%+v", w)
	}
	if rate, ok := w.ErrorRate(); !ok || rate != 52.5 {
		t.Errorf("counts speak before words: %v, %v", rate, ok)
	}
	if rate, ok := (fleet.Window{RatedSamples: 1, RatedErrors: 3}).ErrorRate(); !ok || rate != 3 {
		t.Errorf("%v, %v", rate, ok)
	}
	if _, ok := (fleet.Window{}).ErrorRate(); ok {
		t.Error("nothing has an error rate")
	}
	if p, ok := (fleet.Window{RatedP99: 30}).P99(); !ok || p != 30 {
		t.Errorf("%v, %v", p, ok)
	}
	if p, ok := w.P99(); !ok || p > 10 {
		t.Errorf("%v, %v", p, ok)
	}
}

func FuzzHistogram(f *testing.F) {
	f.Add(1.0, 2.0, uint64(3), uint64(4), uint64(5), 0.99)
	f.Add(-1.0, math.Inf(1), uint64(0), uint64(math.MaxUint64), uint64(5), 2.0)
	f.Fuzz(func(t *testing.T, b1, b2 float64, c1, c2, c3 uint64, q float64) {
		h := fleet.Histogram{Bounds: []float64{b1, b2}, Counts: []uint64{c1, c2, c3}}
		if h.Validate() != nil {
			return
		}
		merged := h.Merge(fleet.Histogram{Bounds: []float64{5}, Counts: []uint64{1, 1}})
		if merged.Total() != h.Total()+2 || merged.Validate() != nil {
			t.Fatalf("%+v merged to %+v", h, merged)
		}
		if p, ok := h.Quantile(min(max(q, 0), 1)); ok && (p < 0 || p > b2 || math.IsNaN(p)) {
			t.Fatalf("quantile %v of %+v is %v", q, h, p)
		}
		if above := h.Above(b1); above < 0 || above > float64(h.Total())*1.0001 {
			t.Fatalf("%v of %d above", above, h.Total())
		}
	})
}
