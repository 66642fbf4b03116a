package rollout

import (
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// Exposure is one instance that was given a version which was taken back.
type Exposure struct {
	InstanceID     string
	Hostname       string
	ServiceVersion string    // of the service's own build
	AppliedAt      time.Time // when it said to run the version; zero: it never did
	ApplyError     string    // why it could not
	Requests       uint64    // that it counted while it ran the version, at most 15 minutes of them
	Errors         uint64    // of these
	BackAt         time.Time // when it said to run the earlier version again; zero: not yet
}

// maxExposures bounds the instances that a deployment names.
const maxExposures = 100

// exposedBy names the instances that a rollback of version names: of no others
// does it need samples, of which a large fleet has millions.
func exposedBy(d Deployment, version string) func(Snapshot) []Reading {
	return func(snap Snapshot) []Reading {
		s := newStep(d, snap, time.Time{})
		s.needs = map[*Target]need{}
		s.needExposed(version)
		return s.readings()
	}
}

// needExposed notes whom a rollback of version names.
func (s *step) needExposed(version string) {
	if s.needs == nil {
		return
	}
	var first time.Time
	var counted []*Target
	named := 0
	for _, t := range s.queue() {
		if !t.exposed(version) {
			continue
		}
		if named++; named > maxExposures {
			break
		}
		if at := t.Assignment.AppliedAt; t.Assignment.Applied == version {
			counted = append(counted, t)
			if first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	for _, t := range counted {
		s.need(t, first)
	}
}

// exposed says that a target has a version, or should.
func (t *Target) exposed(version string) bool {
	return t.Assignment.Version == version || t.Assignment.Applied == version
}

// expose writes down who has the version that is taken back.
func (s *step) expose(version string) {
	s.needExposed(version)
	s.next.Exposures, s.next.Exposed = nil, 0
	for _, t := range s.queue() {
		a := t.Assignment
		if !t.exposed(version) {
			continue
		}
		if s.next.Exposed++; s.next.Exposed > maxExposures {
			continue
		}
		e := Exposure{InstanceID: t.Instance.ID, Hostname: name(t), ServiceVersion: t.Instance.ServiceVersion, ApplyError: line(a.ApplyError)}
		if a.Applied == version {
			w := fleet.Aggregate(since(t.Samples, a.AppliedAt))
			e.AppliedAt, e.Requests, e.Errors = a.AppliedAt, w.Requests, w.Errors
		}
		s.next.Exposures = append(s.next.Exposures, e)
	}
}

// heal writes down who of them runs the version again that it should.
func (s *step) heal(version string) {
	back := map[string]time.Time{}
	for _, t := range s.targets {
		switch a := t.Assignment; {
		case a.Version != version || !a.Acknowledged():
		case a.AppliedAt.After(s.next.RollbackAt):
			back[t.Instance.ID] = a.AppliedAt
		default: // it never left that version, and has only said so now
			back[t.Instance.ID] = s.now
		}
	}
	healed := make([]Exposure, len(s.next.Exposures))
	for i, e := range s.next.Exposures {
		if at, ok := back[e.InstanceID]; ok && e.BackAt.IsZero() {
			e.BackAt = at
		}
		healed[i] = e
	}
	s.next.Exposures = healed
}
