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
	w, control := e.over(func(w fleet.Window) bool {
		return w.Requests >= minRequests || w.RatedSamples >= minBeats
	})
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
	bad, tested := m.beyondChance(requests(w), requests(control), requests(e.baseline), minRequests)
	switch {
	case tested && !bad:
		return m.unknown(false, numbers+m.excuse(threshold))
	case tested:
		numbers += chance(*m.P)
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
	w, control := e.over(func(w fleet.Window) bool { _, ok := p99(w); return ok })
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
	limit := slowerThan(before, threshold)
	if value <= limit {
		m.Outcome, m.Reason = Pass, "p99 "+msText(value)
		return m
	}
	of := fmt.Sprintf("of %d requests", m.N)
	if m.N < minLatencies {
		of = "as the instances report it"
	}
	numbers := fmt.Sprintf("p99 %s %s%s, threshold +%s%%", msText(value), of, m.compared(msText), trim(threshold))
	slow := func(w fleet.Window) sample { return sample{w.Latency.Above(limit), float64(w.Latency.Total())} }
	bad, tested := m.beyondChance(slow(w), slow(control), slow(e.baseline), minLatencies)
	switch {
	case tested && !bad, !tested && m.Control != nil && value <= slowerThan(*m.Control, threshold):
		// Everybody is slow: that may hold people up, but not because of the change.
		m.Outcome, m.Reason = Pass, numbers+": not slower than without the change"
		return m
	case tested:
		numbers += chance(*m.P)
	}
	m.Outcome, m.Reason = Fail, numbers
	return m
}

// slowerThan is what a p99 must pass to be too slow: the threshold in percent,
// and a floor in milliseconds, so that 5 ms to 10 ms is no failure.
func slowerThan(before, threshold float64) float64 {
	return max(before*(1+threshold/100), before+latencyFloor)
}
