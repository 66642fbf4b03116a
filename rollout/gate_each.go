package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// judging is of one metric, by a profile's threshold.
type judging func(evidence, profile.Health) MetricCheck

func errorsOf(e evidence, h profile.Health) MetricCheck { return errorRate(e, h.ErrorRateThreshold) }

func latencyOf(e evidence, h profile.Health) MetricCheck { return latency(e, h.LatencyThreshold) }

// judgeEach judges a metric of all updated instances together, and of each by
// itself: a few that are ill drown among those that are well, and one can make
// all look ill.
func judgeEach(e evidence, h profile.Health, judge judging) MetricCheck {
	m := judge(e, h)
	n := len(e.whole.groups)
	if n < 2 || m.Value == nil {
		return m
	}
	ill, late := e.loners(h, judge)
	switch share := 100 * float64(len(ill)) / float64(n); {
	case m.Outcome == Fail && len(late) == 1 && len(ill) == 0 && judge(e.without(late[0].at), h).Outcome != Fail:
		return m.unknown(false, m.Reason+": but for "+late[0].name+", which was well on it before, the others are")
	case m.Outcome == Fail || len(ill) == 0:
		return m
	case share > h.FailedCheckThreshold:
		m.Outcome, m.Reason, m.P = Fail, e.few(ill), ill[0].P
	default:
		m.Reason = strings.TrimPrefix(m.Reason+"; "+e.few(ill), "; ")
	}
	return m
}

// loner is an instance that fails by itself.
type loner struct {
	MetricCheck
	at   int
	name string
}

// few names those that fail alone, with the numbers of the first.
func (e evidence) few(ill []loner) string {
	var names []string
	for _, l := range ill[:min(3, len(ill))] {
		names = append(names, l.name)
	}
	of := fmt.Sprintf("%d instances", len(e.whole.groups))
	if e.part() {
		of += " looked at"
	}
	return fmt.Sprintf("on %d of %s, %s: %s", len(ill), of, strings.Join(names, ", "), ill[0].Reason)
}

// loners finds the updated instances that fail by themselves, by the threshold
// above the worst of all before the deployment. Those that are ill have been so
// since they applied the version, as far as one can tell; those that are late
// were well for the first half of that time.
func (e evidence) loners(h profile.Health, judge judging) (ill, late []loner) {
	if h.FailedCheckThreshold >= 100 {
		return nil, nil
	}
	for i := range e.whole.groups {
		all, recent := e.whole.groups[i], e.recent.groups[i]
		past := e.past.groups[i]
		now, failed := e.one(recent, all, past, h, judge)
		if !failed {
			continue
		}
		l := loner{now, i, e.whole.names[i]}
		earlier := all[:len(all)/2]
		if then, failed := e.one(earlier, earlier, past, h, judge); !failed && then.Outcome == Pass {
			late = append(late, l)
		} else {
			ill = append(ill, l)
		}
	}
	return ill, late
}

// one judges an updated instance by itself.
func (e evidence) one(recent, whole, past []fleet.Sample, h profile.Health, judge judging) (m MetricCheck, failed bool) {
	lone := e
	lone.recent, lone.whole = &side{groups: [][]fleet.Sample{recent}}, &side{groups: [][]fleet.Sample{whole}}
	lone.past = &side{groups: [][]fleet.Sample{past}}
	m = judge(lone, h)
	// Looked at n times, something is n times as likely to be seen.
	n := float64(len(e.whole.groups))
	return m, m.Outcome == Fail && m.P != nil && *m.P*n < significance && e.worst.passedBy(m.Name, *m.Value, h)
}

// without leaves out one updated instance.
func (e evidence) without(at int) evidence {
	rest := e
	rest.recent = &side{groups: slices.Delete(slices.Clone(e.recent.groups), at, at+1)}
	rest.past = &side{groups: slices.Delete(slices.Clone(e.past.groups), at, at+1)}
	rest.whole = &side{groups: slices.Delete(slices.Clone(e.whole.groups), at, at+1)}
	return rest
}
