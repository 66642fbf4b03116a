package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
)

// delivery is what every instance with the same assignment is sent: all of it but
// the instance's own URL and span. It is made once for a whole fleet, and never
// changes.
type delivery struct {
	fleet.Assignment // of no instance
	inline           bool
	text             []byte // JSON of a wire.Assignment without its end and its own fields
	alone            string // the tag of the set that has nothing else: what most have
}

// newDelivery brings small data along. What may hold secrets is fetched apart,
// so that they are opened once for a delivery and not at every look.
func (a *API) newDelivery(of fleet.Assignment, data []byte) (*delivery, error) {
	of.InstanceID = ""
	d := &delivery{Assignment: of, inline: len(data) <= inlineLimit && (a.opts.Secrets == nil || !profile.MayHoldSecrets(data))}
	out := named(of)
	out.URL, out.TraceParent = "", ""
	if d.inline {
		out.Data = json.RawMessage(data)
	}
	text, err := encode(out)
	if err != nil {
		return nil, fmt.Errorf("assignment of %s %s: %w", of.Profile, of.Version, err)
	}
	d.text = slices.Clip(text[:len(text)-len("}")])
	d.alone = tagOf(d)
	return d, nil
}

// appendFor writes what one instance is sent.
func (d *delivery) appendFor(b []byte, instanceID string) []byte {
	b = append(b, d.text...)
	own := d.Assignment
	own.InstanceID = instanceID
	if !d.inline {
		b = append(append(append(b, `,"url":"`...), dataURL(own)...), '"') // escaped as a path, it is text that JSON takes as it is
	}
	if span := instanceSpan(own); span != "" {
		b = append(append(append(b, `,"traceparent":"`...), span...), '"')
	}
	return append(b, '}')
}

// deliveries is the whole of what an instance should run, by profile.
type deliveries []*delivery

// appendFor writes a wire.Assignments.
func (set deliveries) appendFor(b []byte, instanceID string) []byte {
	b = append(b, `{"assignments":[`...)
	for i, d := range set {
		if i > 0 {
			b = append(b, ',')
		}
		b = d.appendFor(b, instanceID)
	}
	return append(b, "]}"...)
}

// with is the set with news in it. It says what of them is new: nothing that is
// older than what the set has, for no generation is ever followed by a lower one.
func (set deliveries) with(news deliveries) (whole, fresh deliveries) {
	whole = set
	for _, d := range news {
		at, found := whole.find(d.Profile)
		switch {
		case found && whole[at].Generation >= d.Generation:
			continue
		case found:
			whole = slices.Clone(whole)
			whole[at] = d
		default:
			whole = slices.Insert(slices.Clone(whole), at, d)
		}
		fresh = append(fresh, d)
	}
	return whole, fresh
}

// find looks a profile up: a set is in the order of their names.
func (set deliveries) find(profileName string) (at int, found bool) {
	return slices.BinarySearchFunc(set, profileName, func(one *delivery, name string) int { return strings.Compare(one.Profile, name) })
}

// givenIn is what the set has of the profiles that another has: what is not in a
// reading any more was taken away.
func (set deliveries) givenIn(read deliveries) (both deliveries) {
	for _, d := range set {
		if slices.ContainsFunc(read, func(one *delivery) bool { return one.Profile == d.Profile }) {
			both = append(both, d)
		}
	}
	return both
}

// since is what a set has that another has not.
func (set deliveries) since(before deliveries) (fresh deliveries) {
	for _, d := range set {
		if at, found := before.find(d.Profile); !found || before[at].Generation < d.Generation {
			fresh = append(fresh, d)
		}
	}
	return fresh
}

// tag names a set: the same tag, the same set.
func (set deliveries) tag() string {
	if len(set) == 1 {
		return set[0].alone
	}
	return tagOf(set...)
}

func tagOf(set ...*delivery) string {
	h := sha256.New()
	for _, one := range set {
		fmt.Fprintf(h, "%s\x00%d\x00%s\x00", one.Profile, one.Generation, one.Hash)
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// shelf gives everybody the same delivery of the same assignment, as long as
// anybody holds it.
type shelf struct {
	mu   sync.Mutex
	held map[fleet.Assignment]weak.Pointer[delivery]
	next int // how many it may hold before it looks for those that nobody holds any more
}

const leastShelf = 1024

func newShelf() *shelf {
	return &shelf{held: map[fleet.Assignment]weak.Pointer[delivery]{}, next: leastShelf}
}

// shared is an assignment without what differs between its instances.
func shared(a fleet.Assignment) fleet.Assignment {
	return fleet.Assignment{
		Profile: a.Profile, Version: a.Version, Hash: a.Hash, Generation: a.Generation, DeploymentID: a.DeploymentID,
		ActiveGroup: a.ActiveGroup, TraceParent: a.TraceParent,
	}
}

func (s *shelf) get(a fleet.Assignment) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[a].Value()
}

// put keeps d, unless somebody else was quicker, and gives what is kept.
func (s *shelf) put(a fleet.Assignment, d *delivery) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.held[a].Value(); first != nil {
		return first
	}
	if len(s.held) >= s.next {
		for key, one := range s.held {
			if one.Value() == nil {
				delete(s.held, key)
			}
		}
		s.next = max(leastShelf, 2*len(s.held))
	}
	s.held[a] = weak.Make(d)
	return d
}

// delivery is what the instances of an assignment are sent. The version's data is read
// where it is not known.
func (a *API) delivery(ctx context.Context, of fleet.Assignment, known []byte) (d *delivery, err error) {
	of = shared(of)
	if d := a.shelf.get(of); d != nil {
		return d, nil
	}
	data := known
	if len(known) > 0 {
		a.keepData(ctx, of.Hash, known)
	} else if data, err = a.dataOf(ctx, of); err != nil {
		return nil, err
	}
	if d, err = a.newDelivery(of, data); err != nil {
		return nil, err
	}
	return a.shelf.put(of, d), nil
}

// deliveries is what an instance should run.
func (a *API) deliveries(ctx context.Context, instanceID string) (deliveries, error) {
	list, err := a.opts.Store.AssignmentsOf(ctx, instanceID)
	if err != nil {
		return nil, err
	}
	set := make(deliveries, len(list))
	for i, one := range list {
		if set[i], err = a.delivery(ctx, one, nil); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// current is deliveries, or gone where an instance without any was removed: it
// has to register again, and an empty set must not tell it otherwise.
func (a *API) current(ctx context.Context, instanceID string) (deliveries, error) {
	return look(ctx, a.opts.AnswerWithin, func(ctx context.Context) (deliveries, error) {
		set, err := a.deliveries(ctx, instanceID)
		if err == nil && len(set) == 0 {
			err = a.registered(ctx, instanceID)
		}
		return set, err
	})
}
