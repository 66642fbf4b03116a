package rollout

import (
	"maps"
	"slices"
	"time"
)

// Reading is the samples of some instances whose time begins at From or later.
type Reading struct {
	Instances []string
	From      time.Time // zero: all that are kept
	Coarse    bool      // nobody looks into a minute of them: those of one may be joined
}

// Readings says which samples Decide looks at, for somebody who has read
// everything else: it decides without any, and notes of whom there should be some.
// That changes nothing of what is looked at, since a check is made or not
// whatever the samples say.
func Readings(d Deployment, now time.Time) func(Snapshot) []Reading {
	return func(snap Snapshot) []Reading {
		s, _ := decideUnread(d, snap, now)
		return s.readings()
	}
}

// decideUnread decides without samples, and notes which would be looked at. Where
// that is none, it is the decision.
func decideUnread(d Deployment, snap Snapshot, now time.Time) (*step, Decision) {
	s := newStep(d, snap, now)
	s.needs = map[*Target]need{}
	return s, s.decide()
}

// again decides about the same snapshot with the samples there: the queue of its
// targets is sorted already.
func (s *step) again(snap Snapshot) Decision {
	next := newStep(s.read, snap, s.now)
	next.places = s.places
	return next.decide()
}

// readingsAt is Readings, or what is in its place for who decides something else.
type readingsAt func(d Deployment, now time.Time) func(Snapshot) []Reading

// noReadings is for who asks only whether the targets are there.
func noReadings(Deployment, time.Time) func(Snapshot) []Reading {
	return func(Snapshot) []Reading { return nil }
}

// OrderReadings does so for an order: of those that it may take the version back
// from, it says what they counted.
func OrderReadings(d Deployment) func(Snapshot) []Reading { return exposedBy(d, d.Version) }

// need is from when on the samples of a target are looked at, and whether they
// are only added up.
type need struct {
	from   time.Time
	coarse bool
}

// need notes that samples of a target are looked at, one by one.
func (s *step) need(t *Target, from time.Time) { s.note(t, need{from, false}) }

// needSum notes that they are added up, which of a large fleet are too many to
// hold one by one.
func (s *step) needSum(t *Target, from time.Time) { s.note(t, need{from, s.many()}) }

func (s *step) note(t *Target, n need) {
	if s.needs == nil {
		return
	}
	if before, ok := s.needs[t]; ok {
		n.coarse = n.coarse && before.coarse
		if before.from.Before(n.from) {
			n.from = before.from
		}
	}
	s.needs[t] = n
}

// fewNeeded is of how many instances all samples are read from the same time on:
// another statement would take longer than what it spares.
const fewNeeded = 100

// readings are what was noted, those of one time together.
func (s *step) readings() []Reading {
	if len(s.needs) == 0 {
		return nil
	}
	var out []Reading
	at := map[need]int{}
	first := slices.MinFunc(slices.Collect(maps.Values(s.needs)), func(a, b need) int { return a.from.Compare(b.from) })
	for _, t := range s.targets {
		n, ok := s.needs[t]
		if !ok {
			continue
		}
		if len(s.needs) <= fewNeeded {
			n.from = first.from
		}
		i, ok := at[n]
		if !ok {
			i = len(out)
			at[n], out = i, append(out, Reading{From: n.from, Coarse: n.coarse})
		}
		out[i].Instances = append(out[i].Instances, t.Instance.ID)
	}
	return out
}
