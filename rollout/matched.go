package rollout

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// matchedTime is how finely the two sides are compared in time: a heartbeat at a
// deployment's pace.
const matchedTime = 5 * time.Second

// fewSlots is how many are too few to leave one out.
const fewSlots = 4

// matched counts both sides over the times that both have told of. The control is
// weighed by when the updated instances had their requests (direct
// standardisation): half a minute of an outage must not count for more on the side
// that was busy just then, or was updated just before. The time that looks worst
// is left out: heartbeats do not begin together, and the edge of an outage falls
// on one that the other side does not have.
func (c comparison) matched(updated, control *side) (mine sample, others counts) {
	ours, theirs := updated.bySlot(), control.bySlot()
	var meet []meeting
	for _, at := range slices.Sorted(maps.Keys(ours)) { // what they add up to depends on their order
		if m := (meeting{c.bad(ours[at]), c.other(theirs[at])}); m.us.n > 0 && m.them.n > 0 {
			meet = append(meet, m)
		}
	}
	if c.many && len(meet) >= fewSlots {
		worst := slices.MaxFunc(meet, func(a, b meeting) int { return cmp.Compare(a.excess(), b.excess()) })
		at := slices.Index(meet, worst)
		meet = slices.Delete(meet, at, at+1)
	}
	for _, m := range meet {
		mine, others.all = mine.plus(m.us), others.all.plus(m.them)
		others.times = append(others.times, slot{m.them, m.us.n})
	}
	for i := range others.times {
		others.times[i].weight /= mine.n
	}
	others.each = c.others(control)
	return mine, others
}

// meeting is a time that both sides have told of.
type meeting struct{ us, them sample }

// excess is how many more were bad than if the updated instances were as the others.
func (m meeting) excess() float64 { return m.us.bad - m.us.n*m.them.share() }

// others counts the control by instance.
func (c comparison) others(control *side) []sample {
	var each []sample
	for _, w := range control.each() {
		each = append(each, c.other(w))
	}
	return each
}
