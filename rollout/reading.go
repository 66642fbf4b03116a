package rollout

import (
	"maps"
	"slices"
	"time"
)

// Reading is the samples of some instances that were taken at a time or later.
type Reading struct {
	Instances []string
	From      time.Time // zero: all that are kept
}

// Readings says which samples Decide looks at, for somebody who has read
// everything else: it decides without any, and notes of whom there should be some.
// That changes nothing of what is looked at, since a check is made or not
// whatever the samples say.
func Readings(d Deployment, now time.Time) func(Snapshot) []Reading {
	return func(snap Snapshot) []Reading {
		s := newStep(d, snap, now)
		s.needs = map[*Target]time.Time{}
		s.decide()
		return s.readings()
	}
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

// need notes that the samples of a target from a time on are looked at.
func (s *step) need(t *Target, from time.Time) {
	if s.needs == nil {
		return
	}
	if before, ok := s.needs[t]; !ok || from.Before(before) {
		s.needs[t] = from
	}
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
	at := map[time.Time]int{}
	first := slices.MinFunc(slices.Collect(maps.Values(s.needs)), time.Time.Compare)
	for _, t := range s.targets {
		from, ok := s.needs[t]
		if !ok {
			continue
		}
		if len(s.needs) <= fewNeeded {
			from = first
		}
		i, ok := at[from]
		if !ok {
			i = len(out)
			at[from], out = i, append(out, Reading{From: from})
		}
		out[i].Instances = append(out[i].Instances, t.Instance.ID)
	}
	return out
}
