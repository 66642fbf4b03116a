package fleet

import "slices"

// Aggregate adds up groups of samples.
func Aggregate(groups ...[]Sample) Window {
	a := adder{instances: map[string]struct{}{}}
	for _, samples := range groups {
		last := ""
		for i := range samples {
			s := &samples[i]
			if s.InstanceID != last || i == 0 {
				a.instances[s.InstanceID] = struct{}{}
				last = s.InstanceID
			}
			a.add(s)
		}
	}
	return a.window()
}

// adder is a window in the making.
type adder struct {
	w         Window
	instances map[string]struct{}
	p99s      []float64
	custom    map[string]mean
}

type mean struct{ sum, n float64 }

func (a *adder) add(s *Sample) {
	w, beats := &a.w, s.beats()
	w.Samples += beats
	switch s.Status {
	case StatusUnhealthy:
		w.Unhealthy += beats
	case StatusUnknown, "":
		w.Unknown += beats
	}
	if s.Counted {
		w.Counted += beats
		w.Requests = plus(w.Requests, s.Requests)
		w.Errors = plus(w.Errors, min(s.Errors, s.Requests))
	} else if s.ErrorRate != nil {
		w.RatedErrors += *s.ErrorRate
		w.RatedSamples++
	}
	if !s.Latency.Empty() {
		w.Latency = w.Latency.add(s.Latency)
	} else if s.P99 != nil {
		a.p99s = append(a.p99s, *s.P99)
	}
	for name, value := range s.Custom {
		if a.custom == nil {
			a.custom = map[string]mean{}
		}
		m := a.custom[name]
		a.custom[name] = mean{m.sum + value, m.n + 1}
	}
}

func (a *adder) window() Window {
	w := a.w
	w.Instances = len(a.instances)
	if w.RatedSamples > 0 {
		w.RatedErrors /= float64(w.RatedSamples)
	}
	if len(a.p99s) > 0 {
		slices.Sort(a.p99s)
		w.RatedP99 = a.p99s[len(a.p99s)/2]
	}
	for name, m := range a.custom {
		if w.Custom == nil {
			w.Custom = map[string]float64{}
		}
		w.Custom[name] = m.sum / m.n
	}
	return w
}

// Plus is what two windows of different instances add up to.
func (w Window) Plus(other Window) Window {
	sum := w
	sum.Instances += other.Instances
	sum.Samples += other.Samples
	sum.Unhealthy += other.Unhealthy
	sum.Unknown += other.Unknown
	sum.Counted += other.Counted
	sum.Requests, sum.Errors = plus(w.Requests, other.Requests), plus(w.Errors, other.Errors)
	sum.Latency = w.Latency.Merge(other.Latency)
	if sum.RatedSamples += other.RatedSamples; sum.RatedSamples > 0 {
		sum.RatedErrors = (w.RatedErrors*float64(w.RatedSamples) + other.RatedErrors*float64(other.RatedSamples)) / float64(sum.RatedSamples)
	}
	sum.RatedP99 = max(w.RatedP99, other.RatedP99)
	return sum
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
