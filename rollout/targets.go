package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/sluicehq/sluice/fleet"
)

// order is an instance's place in a deployment's queue: stable within a
// deployment, another one in the next, so that no instance is always first.
func order(deploymentID, instanceID string) uint64 {
	sum := sha256.Sum256([]byte(deploymentID + "\x00" + instanceID))
	return binary.BigEndian.Uint64(sum[:8])
}

// crowd is a deployment's targets, sorted into what matters to it.
type crowd struct {
	all     []*Target // in the order of the queue
	live    int
	present []*Target // not gone: live, or silent for less than an hour
	silent  []*Target // not live, not gone, assigned the deployment's version: may well run it
	updated []*Target // live, assigned the deployment's version
	waiting []*Target // live, not assigned it; strays first, then in the order of the queue
	control []*Target // live, on the previous version and said so
	acked   int       // of updated
	failed  []*Target // of updated: said that they could not apply it
}

// size is what a phase's share is a share of: live instances, and silent ones
// that hold the version.
func (c crowd) size() int { return c.live + len(c.silent) }

// shape is what a strategy may know of them.
func (c crowd) shape() Shape {
	f := Shape{Size: c.size(), Groups: map[string]int{}}
	for _, some := range [][]*Target{c.updated, c.waiting, c.silent} {
		for _, t := range some {
			if group := t.Instance.Group(); group != "" {
				f.Groups[group]++
			}
		}
	}
	return f
}

// turn is who is next among those of a group, or of all when it is "".
func (c crowd) turn(group string) []*Target {
	if group == "" {
		return c.waiting
	}
	return slices.DeleteFunc(slices.Clone(c.waiting), func(t *Target) bool { return t.Instance.Group() != group })
}

// queue is the targets in the order of the deployment's queue: those that were ill
// before it come last.
func (s *step) queue() []*Target {
	if s.places == nil {
		s.places = inOrder(s.next.ID, s.targets)
	}
	if len(s.next.Ill) == 0 {
		return s.places
	}
	queue, ill := make([]*Target, 0, len(s.places)), []*Target(nil)
	for _, t := range s.places {
		if s.next.wasIll(t) {
			ill = append(ill, t)
		} else {
			queue = append(queue, t)
		}
	}
	return append(queue, ill...)
}

// inOrder sorts targets by their places. Each place is worked out once.
func inOrder(deploymentID string, targets []*Target) []*Target {
	type place struct {
		order uint64
		of    *Target
	}
	places := make([]place, len(targets))
	for i, t := range targets {
		places[i] = place{order(deploymentID, t.Instance.ID), t}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.of.Instance.ID, b.of.Instance.ID))
	})
	sorted := make([]*Target, len(places))
	for i, p := range places {
		sorted[i] = p.of
	}
	return sorted
}

func (s *step) sortTargets() crowd {
	c := crowd{all: s.queue()}
	var strays []*Target
	for _, t := range c.all {
		alive := t.Instance.Liveness(s.now)
		if alive == fleet.Gone {
			continue
		}
		c.present = append(c.present, t)
		if alive != fleet.Live {
			if s.has(t) {
				c.silent = append(c.silent, t)
			}
			continue
		}
		c.live++
		switch {
		case s.has(t):
			c.updated = append(c.updated, t)
			if t.Assignment.Acknowledged() {
				c.acked++
			} else if t.Assignment.ApplyError != "" {
				c.failed = append(c.failed, t)
			}
		case s.stray(t):
			strays = append(strays, t)
		default:
			c.waiting = append(c.waiting, t)
			if t.Assignment.Acknowledged() && t.Assignment.Version == s.next.Previous {
				c.control = append(c.control, t)
			}
		}
	}
	c.waiting = append(strays, c.waiting...)
	return c
}

// has says that this deployment gave its version to a target. What an earlier
// deployment of the same version left behind is a stray.
func (s *step) has(t *Target) bool {
	return t.Assignment.Version == s.next.Version &&
		(t.Assignment.DeploymentID == s.next.ID || s.next.Version == s.next.Previous)
}

// stray says that a target runs neither this deployment's version nor the one
// before it: a superseded deployment left it there. It is on unproven content
// already, so it counts against the share first.
func (s *step) stray(t *Target) bool {
	version := t.Assignment.Version
	return version != "" && version != s.next.Previous && !s.has(t)
}
