package rollout

import (
	"fmt"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// The phases of a BlueGreen. In the last one the other group follows.
const (
	verifying = iota // the idle group has the version, and no requests
	switched         // the idle group has the requests; the other one is the way back
)

// blueGreen gives the version to the idle group, sends the requests there, and
// keeps the other group on the version before for a while: the way back is one
// switch.
type blueGreen struct {
	profile.Strategy
	idle string // the group that takes the version first
}

// Phases is three: verify, switch, follow.
func (blueGreen) Phases(Shape) int { return 3 }

// Phase is one of them.
func (b blueGreen) Phase(i int, f Shape) Phase {
	idle := max(1, f.Groups[b.idle]) // a group that is not there has not taken it
	p := Phase{Share: idle, Percent: 100 * min(idle, f.Size) / max(1, f.Size), Group: b.idle}
	switch i {
	case verifying:
		p.Name, p.Quiet, p.Bake = "verifying "+b.idle, true, b.VerificationPeriod.Std()
	case switched:
		p.Name, p.Traffic, p.Bake = "traffic on "+b.idle, b.idle, b.KeepBlueDuration.Std()
	default:
		p = Phase{Name: fleet.OtherGroup(b.idle) + " follows", Share: f.Size, Percent: 100, Traffic: b.idle}
	}
	return p
}

// Refuses says what is wrong with the targets' groups.
func (blueGreen) Refuses(live []*Target) string {
	var without []*Target
	groups := map[string]int{}
	for _, t := range live {
		if group := t.Instance.Group(); group == "" {
			without = append(without, t)
		} else {
			groups[group]++
		}
	}
	switch {
	case len(without) > 0:
		return fmt.Sprintf("strategy BlueGreen needs every instance in a group, and %d of %d are in none: %s; register them with metadata group blue or green, or use Canary, Rolling or Direct",
			len(without), len(live), names(without))
	case len(live) > 0 && len(groups) < 2:
		return fmt.Sprintf("strategy BlueGreen needs instances in the groups blue and green, and none of %d is in group %s; start some there, or use Canary, Rolling or Direct",
			len(live), fleet.OtherGroup(live[0].Instance.Group()))
	}
	return ""
}

// turn sends the requests to the group that the phase wants them at.
func (s *step) turn(p Phase) {
	if p.Traffic != "" && s.snap.Traffic.Active() != p.Traffic {
		s.switchTo(p.Traffic, Daemon)
	}
}

func (s *step) switchTo(group, actor string) {
	s.fact(FactSwitched, actor, map[string]any{"from": s.snap.Traffic.Active(), "to": group})
	s.dec.Switch = group
	s.snap.Traffic = Traffic{Group: group} // nobody has taken it yet
}

// arrived says that requests go where the phase wants them.
func (s *step) arrived(p Phase) bool {
	return p.Traffic == "" || s.snap.Traffic.Active() == p.Traffic && s.snap.Traffic.Acked
}

// switchBack sends the requests back to the group that still runs the version
// before: the quick part of a way back. A group that is not well on it stays as
// it is.
func (s *step) switchBack(version, actor string) {
	active := s.snap.Traffic.Active()
	if s.snap.Traffic.Group == "" {
		return // nothing was ever switched
	}
	ready, well := 0, true
	for _, t := range s.targets {
		if t.Instance.Liveness(s.now) != fleet.Live {
			continue
		}
		// It may not have heard of the last switch yet: what counts is what it runs.
		a := t.Assignment
		there := a.Version == version && a.Applied == version && a.ApplyError == ""
		switch {
		case t.Instance.Group() == active && there:
			return // it runs where the requests are
		case t.Instance.Group() != active && !there:
			well = false
		case t.Instance.Group() != active:
			ready++
		}
	}
	if well && ready > 0 {
		s.switchTo(fleet.OtherGroup(active), actor)
	}
}
