package rollout

import (
	"fmt"

	"github.com/sluicehq/sluice/fleet"
)

// errorShare is a window's error rate in percent where it can be judged by: of
// requests enough, or taken at the instances' word.
func errorShare(w fleet.Window) (percent float64, ok bool) {
	if w.Requests >= minRequests {
		return w.ErrorRate()
	}
	return w.RatedErrors, w.RatedSamples > 0
}

func requests(w fleet.Window) sample { return sample{float64(w.Errors), float64(w.Requests)} }

// errorRate judges failed requests.
func errorRate(e evidence, threshold float64) MetricCheck {
	updated, without := e.over(func(w fleet.Window) bool {
		return w.Requests >= minRequests || w.RatedSamples >= minBeats
	})
	w, control := updated.window(), without.window()
	m := MetricCheck{Name: "errorRate", Unit: "%", N: w.Requests, ControlN: control.Requests, BaselineN: e.baseline.Requests, Threshold: threshold}
	value, ok := errorShare(w)
	switch {
	case !ok && w.Requests > 0:
		return m.unknown(e.first && w.Errors == 0, fmt.Sprintf("%d requests are too few to judge errors by, %d are needed", w.Requests, minRequests))
	case !ok:
		never := w.Samples > 0 && !e.ever(func(w fleet.Window) bool { return w.Counted+w.RatedSamples > 0 })
		return m.unknown(e.first || never, "no requests since it was applied")
	}
	m.Value = &value
	before, known := m.against(e.baseline, control, errorShare)
	if known || e.first {
		m.limited(before + threshold)
	}
	// Below the threshold nothing can have been better by the threshold.
	if value-before < threshold || value <= before {
		m.Outcome, m.Reason = Pass, "error rate "+percentText(value)
		return m
	}
	of := fmt.Sprintf("of %d requests", w.Requests)
	if w.Requests < minRequests {
		of = "as the instances report it"
	}
	numbers := fmt.Sprintf("error rate %s %s%s, threshold +%s points", percentText(value), of, m.compared(percentText), trim(threshold))
	if !known && !e.first {
		return m.unknown(false, numbers+": there is no baseline and no control to compare it with")
	}
	// Less than half of the threshold above the control is no difference.
	if n := requests(control).n; m.Control != nil && n >= minRequests && value-*m.Control < threshold/2 {
		return m.unknown(false, numbers+m.excuse(threshold))
	}
	c := comparison{requests, requests, threshold / 200, minRequests, true}
	p, tested := c.beyondChance(updated, without, e.baseline)
	switch m.believe(p, tested); {
	case tested && p >= significance:
		return m.unknown(false, numbers+m.excuse(threshold))
	case tested:
		numbers += chance(p)
	case m.Control != nil && value-*m.Control < threshold:
		return m.unknown(false, numbers+": instances without the change are no better, a shared outage")
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// p99 is a window's 99th percentile where it can be judged by: of observations
// enough, or taken at the instances' word.
func p99(w fleet.Window) (ms float64, ok bool) {
	if w.Latency.Total() >= minLatencies {
		return w.Latency.Quantile(0.99)
	}
	return w.RatedP99, w.RatedP99 > 0
}

// latency judges the 99th percentile.
func latency(e evidence, threshold float64) MetricCheck {
	updated, without := e.over(func(w fleet.Window) bool { _, ok := p99(w); return ok })
	w, control := updated.window(), without.window()
	m := MetricCheck{
		Name: "latencyP99", Unit: "ms", Threshold: threshold,
		N: w.Latency.Total(), ControlN: control.Latency.Total(), BaselineN: e.baseline.Latency.Total(),
	}
	value, ok := p99(w)
	before, known := m.against(e.baseline, control, p99)
	switch {
	case !known:
		return m.unknown(true, "there is no baseline and no control to compare latency with")
	case !ok && m.N > 0:
		return m.unknown(false, fmt.Sprintf("%d requests are too few to judge a p99 by, %d are needed", m.N, minLatencies))
	case !ok:
		return m.unknown(false, "no latencies since it was applied")
	}
	m.Value = &value
	if own, ok := e.ownP99(); ok && m.Baseline != nil && own < before {
		before, m.Baseline = own, &own
	}
	limit := slowerThan(before, threshold)
	m.limited(limit)
	if value <= limit {
		m.Outcome, m.Reason = Pass, "p99 "+msText(value)
		return m
	}
	of := fmt.Sprintf("of %d requests", m.N)
	if m.N < minLatencies {
		of = "as the instances report it"
	}
	numbers := fmt.Sprintf("p99 %s %s%s, threshold +%s%%", msText(value), of, m.compared(msText), trim(threshold))
	if m.ControlN >= minLatencies && value <= slowerThan(*m.Control, threshold/2) {
		// Everybody is slow: that may hold people up, but not because of the change.
		m.Outcome, m.Reason = Pass, numbers+": not slower than without the change"
		return m
	}
	p, tested := slower(updated, without, e.baseline, limit, threshold)
	switch m.believe(p, tested); {
	case tested && p >= significance:
		return m.unknown(false, numbers+": may be chance")
	case !tested && m.Control != nil && value <= slowerThan(*m.Control, threshold):
		m.Outcome, m.Reason = Pass, numbers+": not slower than without the change"
		return m
	case tested:
		numbers += chance(p)
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// slower is the chance that updated instances look so slow while they are at
// most half of the threshold slower than the others. It is seen in the slowest
// requests, or in the slowest tenth, where there are more to count: twice looked
// at is twice the chance.
func slower(updated, without *side, baseline fleet.Window, limit, threshold float64) (p float64, ok bool) {
	usual := without.window().Latency
	if usual.Total() < minLatencies {
		usual = baseline.Latency
	}
	tenth, _ := usual.Quantile(0.9)
	best := 1.0
	for _, from := range []float64{limit / (1 + threshold/200), tenth} {
		c := comparison{above(slowerThan(from, threshold/2)), above(from), 0, minLatencies, true}
		if p, tested := c.beyondChance(updated, without, baseline); tested {
			best, ok = min(best, 2*p), true
		}
	}
	return best, ok
}

// above counts the requests that took longer.
func above(ms float64) func(fleet.Window) sample {
	return func(w fleet.Window) sample { return sample{w.Latency.Above(ms), float64(w.Latency.Total())} }
}

// slowerThan is what a p99 must pass to be too slow: the threshold in percent,
// and a floor in milliseconds, so that 5 ms to 10 ms is no failure.
func slowerThan(before, threshold float64) float64 {
	return max(before*(1+threshold/100), before+latencyFloor)
}
