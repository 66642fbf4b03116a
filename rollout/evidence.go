package rollout

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// side is one of the two that a gate compares: some instances, each over some
// time. It is added up when somebody asks, and once.
type side struct {
	groups [][]fleet.Sample // by instance
	names  []string         // of the instances, where they may be named
	sum    *fleet.Window
	ones   []fleet.Window
	slots  map[int64]fleet.Window
}

func (s *side) add(samples []fleet.Sample) { s.groups = append(s.groups, samples) }

// window is all of it.
func (s *side) window() fleet.Window {
	if s.sum == nil {
		w := fleet.Aggregate(s.groups...)
		s.sum = &w
	}
	return *s.sum
}

// each is one window an instance.
func (s *side) each() []fleet.Window {
	if s.ones == nil {
		for _, group := range s.groups {
			s.ones = append(s.ones, fleet.Aggregate(group))
		}
	}
	return s.ones
}

// bySlot is one window for each stretch of matchedTime.
func (s *side) bySlot() map[int64]fleet.Window {
	if s.slots != nil {
		return s.slots
	}
	samples := map[int64][]fleet.Sample{}
	for _, group := range s.groups {
		for _, one := range group {
			middle := one.At.Add(one.Since.Sub(one.At) / 2)
			at := middle.UnixNano() / int64(matchedTime)
			samples[at] = append(samples[at], one)
		}
	}
	s.slots = make(map[int64]fleet.Window, len(samples))
	for at, some := range samples {
		s.slots[at] = fleet.Aggregate(some)
	}
	return s.slots
}

// evidence is what a check rests on.
type evidence struct {
	recent    *side        // updated instances, the last few checks
	whole     *side        // updated instances, since they applied the version
	control   *side        // instances without the change, over the same time as recent
	wholeCtrl *side        // instances without the change, over the same time as whole
	past      *side        // updated instances, before they applied it, while that is kept
	baseline  fleet.Window // the fleet before the deployment
	worst     Figures      // of any one instance before the deployment
	first     bool         // there was no version before
	judged    int          // updated instances that count, of which recent and whole may be a part
}

// over picks the recent time when it holds enough, the whole time since the
// version was applied otherwise, each with its control.
func (e evidence) over(enough func(fleet.Window) bool) (updated, control *side) {
	if enough(e.recent.window()) {
		return e.recent, e.control
	}
	return e.whole, e.wholeCtrl
}

// part says that not every updated instance was looked at.
func (e evidence) part() bool { return len(e.whole.groups) < e.judged }

// ever says whether a kind of figure was reported by anybody.
func (e evidence) ever(reported func(fleet.Window) bool) bool {
	return reported(e.whole.window()) || reported(e.wholeCtrl.window()) || reported(e.baseline)
}

// gather sorts the samples that count: of updated instances since they
// acknowledged, of the control over the same time.
func (s *step) gather(c crowd) evidence {
	e := evidence{recent: &side{}, whole: &side{}, control: &side{}, wholeCtrl: &side{}, past: &side{}, baseline: s.next.Baseline, worst: s.next.Worst, first: s.next.Previous == ""}
	recently := s.now.Add(-s.sliding())
	s.needExposed(s.next.Version) // for what they counted is told when the check fails
	updated, ill := s.judged(c.updated)
	e.judged = len(updated)
	from := s.beginning(len(updated))
	updated = s.part(updated, s.mostUpdated())
	control := s.part(slices.DeleteFunc(slices.Clone(c.control), s.next.wasIll), mostControl)
	var begins []time.Time
	for _, t := range updated {
		s.need(t, from)
		applied := t.Assignment.AppliedAt
		whole := later(applied, from)
		begins = append(begins, whole)
		e.whole.names = append(e.whole.names, name(t))
		e.whole.add(since(t.Samples, whole))
		e.recent.add(since(t.Samples, later(applied, recently)))
		var past []fleet.Sample
		if from.IsZero() {
			past = until(since(t.Samples, applied.Add(-baselineWindow)), applied)
		}
		e.past.add(past)
	}
	if ill { // nobody else has it: what they were before is what they must not fall below
		e.baseline = s.next.past(updated)
		return e
	}
	if len(updated) == 0 {
		return e
	}
	slices.SortFunc(begins, time.Time.Compare)
	for i, t := range control {
		// Each is looked at for as long as one of the updated: an outage must not
		// weigh more on those that were updated a moment ago.
		s.need(t, begins[0])
		begin := begins[i*len(begins)/len(control)]
		e.wholeCtrl.add(since(t.Samples, later(t.Assignment.AppliedAt, begin)))
		e.control.add(since(t.Samples, later(t.Assignment.AppliedAt, later(begin, recently))))
	}
	if len(control) == 0 {
		e.control, e.wholeCtrl = &side{sum: &s.next.Control}, &side{sum: &s.next.Control}
		return e
	}
	s.next.Control = e.control.window()
	if s.next.Control.Requests < minLatencies {
		s.next.Control = e.wholeCtrl.window()
	}
	return e
}

// judged is which of the updated instances are judged: those that acknowledged
// and were well before, or, where there is none, those that were ill before.
func (s *step) judged(updated []*Target) (targets []*Target, ill bool) {
	var wereIll []*Target
	for _, t := range updated {
		switch {
		case !t.Assignment.Acknowledged():
		case s.next.wasIll(t):
			wereIll = append(wereIll, t)
		default:
			targets = append(targets, t)
		}
	}
	if len(targets) == 0 && len(wereIll) > 0 {
		return wereIll, true
	}
	return targets, false
}

// until keeps the samples that were taken by t.
func until(samples []fleet.Sample, t time.Time) []fleet.Sample {
	to := 0
	for to < len(samples) && !samples[to].At.After(t) {
		to++
	}
	return samples[:to]
}

// ownP99 is what updated instances were like themselves, where enough is known
// of each: one that is faster than the others has less far to go to be slow.
func (e evidence) ownP99() (ms float64, ok bool) {
	if e.past == nil {
		return 0, false
	}
	for _, w := range e.past.each() {
		if w.Latency.Total() < 10*minLatencies {
			return 0, false
		}
	}
	return p99(e.past.window())
}
