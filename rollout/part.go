package rollout

import (
	"encoding/binary"
	"time"
)

// What a check looks at. Of a fleet up to wholeFleet it is every instance; of a
// larger one a random part, which is large enough that no more of them would
// change what is seen.
const (
	wholeFleet   = 500
	mostUpdated  = 500             // of those that run the version; more where few may fail
	mostControl  = 200             // of those without it
	fewToFail    = 50              // as many must fail in a part as would fail the metric
	knownClosely = 100             // updated instances up to which all is looked at that they have said
	lookedBack   = 6 * time.Minute // at more of them: twice as long as the recent time is at the most
)

// lot is what an instance draws in a deployment, from 0 to 1: another thing than
// its place in the queue.
func lot(deploymentID, instanceID string) float64 {
	sum := hashOf(deploymentID, instanceID)
	return float64(binary.BigEndian.Uint64(sum[8:16])>>11) / (1 << 53)
}

// many says that the fleet is too large to look at every instance.
func (s *step) many() bool { return len(s.targets) > wholeFleet }

// A step reads and decides about all targets. A large fleet that acknowledges one by one
// is looked at again after some ten times as long as that takes, LongestRest at the most.
const (
	restForEach = 30 * time.Microsecond // of the targets
	LongestRest = time.Second
)

func (s *step) rest() time.Duration {
	if !s.many() {
		return 0
	}
	return min(time.Duration(len(s.targets))*restForEach, LongestRest)
}

// mostUpdated is of how many updated instances a check looks at what they say.
// Where hardly any may fail, a part would miss the few that do.
func (s *step) mostUpdated() float64 {
	return max(mostUpdated, 100*fewToFail/s.next.Health.FailedCheckThreshold) // all of them where none may
}

// part is a random part of some instances: those whose lot is small enough that
// there are about as many as asked for. Who is in it stays in it, unless the
// others become more.
func (s *step) part(of []*Target, most float64) []*Target {
	if !s.many() || float64(len(of)) <= most {
		return of
	}
	var some []*Target
	for _, t := range of {
		if lot(s.next.ID, t.Instance.ID)*float64(len(of)) <= most {
			some = append(some, t)
		}
	}
	return some
}

// known is whose time before the deployment is looked at: everybody who can be
// in a part of the updated instances later, however many have been updated by
// then. The queue says how many those are at the least when it is an instance's turn.
func (s *step) known() []*Target {
	if !s.many() {
		return s.targets
	}
	var some []*Target
	ahead := map[string]float64{} // by group: a BlueGreen has a queue for each
	for _, t := range s.queue() {
		group := t.Instance.Group()
		ahead[group]++
		if lot(s.next.ID, t.Instance.ID)*ahead[group] <= s.mostUpdated() {
			some = append(some, t)
		}
	}
	return some
}

// beginning is from when on the updated instances of a large fleet are looked
// at, the zero time for since they applied the version.
func (s *step) beginning(updated int) time.Time {
	if !s.many() || updated <= knownClosely {
		return time.Time{}
	}
	return s.now.Add(-lookedBack)
}
