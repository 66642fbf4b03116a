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
	type place struct {
		ill   bool
		order uint64
		of    *Target
	}
	places := make([]place, len(s.targets))
	for i, t := range s.targets {
		places[i] = place{s.next.wasIll(t), order(s.next.ID, t.Instance.ID), t}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(illLast(a.ill, b.ill), cmp.Compare(a.order, b.order),
			cmp.Compare(a.of.Instance.ID, b.of.Instance.ID))
	})
	queue := make([]*Target, len(places))
	for i, p := range places {
		queue[i] = p.of
	}
	return queue
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
