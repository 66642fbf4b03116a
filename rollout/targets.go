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
	all     []Target // in the order of the queue
	live    int
	updated []Target // live, assigned the deployment's version
	waiting []Target // live, not assigned it; strays first, then in the order of the queue
	control []Target // live, on the previous version and said so
	acked   int      // of updated
	lost    []Target // strays that are not live: they go back, so that none returns with unproven content
	silent  []Target // assigned the deployment's version, and not heard of since: they keep their place in the share
	failed  []Target // of updated: said that they could not apply it
}

func (s *step) sortTargets() crowd {
	c := crowd{all: slices.Clone(s.snap.Targets)}
	slices.SortFunc(c.all, func(a, b Target) int {
		return cmp.Or(cmp.Compare(order(s.next.ID, a.Instance.ID), order(s.next.ID, b.Instance.ID)),
			cmp.Compare(a.Instance.ID, b.Instance.ID))
	})
	var strays []Target
	for _, t := range c.all {
		if t.Instance.Liveness(s.now) != fleet.Live {
			switch {
			case s.has(t):
				c.silent = append(c.silent, t)
			case s.stray(t):
				c.lost = append(c.lost, t)
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

// has says that a target was assigned this deployment's version by this
// deployment. What an earlier one of the same version left behind is a stray.
func (s *step) has(t Target) bool {
	return t.Assignment.Version == s.next.Version &&
		(t.Assignment.DeploymentID == s.next.ID || s.next.Version == s.next.Previous)
}

// stray says that a target runs neither this deployment's version nor the one
// before it: a superseded deployment left it there. It is on unproven content
// already, so it counts against the share first.
func (s *step) stray(t Target) bool {
	version := t.Assignment.Version
	return version != "" && version != s.next.Previous && !s.has(t)
}
