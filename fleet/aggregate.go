package fleet

import (
	"maps"
	"slices"
)

// Aggregate adds up samples.
func Aggregate(samples []Sample) Window {
	var w Window
	instances := map[string]struct{}{}
	var p99s []float64
	custom, customN := map[string]float64{}, map[string]float64{}
	for _, s := range samples {
		instances[s.InstanceID] = struct{}{}
		w.Samples++
		switch s.Status {
		case StatusUnhealthy:
			w.Unhealthy++
		case StatusUnknown, "":
			w.Unknown++
		}
		if s.Counted {
			w.Counted++
			w.Requests = plus(w.Requests, s.Requests)
			w.Errors = plus(w.Errors, min(s.Errors, s.Requests))
		} else if s.ErrorRate != nil {
			w.RatedErrors += *s.ErrorRate
			w.RatedSamples++
		}
		if !s.Latency.Empty() {
			w.Latency = w.Latency.Merge(s.Latency)
		} else if s.P99 != nil {
			p99s = append(p99s, *s.P99)
		}
		for name, value := range s.Custom {
			custom[name] += value
			customN[name]++
		}
	}
	w.Instances = len(instances)
	if w.RatedSamples > 0 {
		w.RatedErrors /= float64(w.RatedSamples)
	}
	if len(p99s) > 0 {
		slices.Sort(p99s)
		w.RatedP99 = p99s[len(p99s)/2]
	}
	if len(custom) > 0 {
		for name := range maps.Keys(custom) {
			custom[name] /= customN[name]
		}
		w.Custom = custom
	}
	return w
}

// ErrorRate is the share of failed requests in percent. ok is false when
// nothing is known of it.
func (w Window) ErrorRate() (percent float64, ok bool) {
	switch {
	case w.Requests > 0:
		return 100 * float64(w.Errors) / float64(w.Requests), true
	case w.RatedSamples > 0:
		return w.RatedErrors, true
	}
	return 0, false
}

// P99 is the latency that 99 of 100 requests stay below, in milliseconds. ok
// is false when nothing is known of it.
func (w Window) P99() (ms float64, ok bool) {
	if ms, ok := w.Latency.Quantile(0.99); ok {
		return ms, true
	}
	return w.RatedP99, w.RatedP99 > 0
}
