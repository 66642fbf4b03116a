package client

import (
	"context"
	"sync"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/api/wire"
)

// What a latency sketch is made with, as the server reads it.
const (
	sketchAccuracy = 0.01
	shortest       = time.Microsecond // what is shorter counts as this
	longest        = time.Hour        // what is longer counts as this
)

// Recorder counts a program's requests for its heartbeats: how many, how many
// failed, and how long they took, in a sketch that is right within 1 % at every
// quantile. Its methods are safe for concurrent use.
//
//	requests := client.NewRecorder()
//	client.NewWatcher(client.SessionOptions{Health: requests.Health, ...})
//	requests.Observe(time.Since(begun), err != nil) // after each request
type Recorder struct {
	mu      sync.Mutex
	fresh   counted // since the last heartbeat was begun
	carried counted // by heartbeats that the server has not taken
	round   uint64  // of heartbeats that were begun
}

// counted is what was observed over some time.
type counted struct {
	requests, errors uint64
	latency          *ddsketch.DDSketch // of milliseconds; nil when nothing was observed
}

// NewRecorder returns a recorder that has observed nothing.
func NewRecorder() *Recorder { return &Recorder{} }

// Observe counts one request, how long it took and whether it failed.
func (r *Recorder) Observe(took time.Duration, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh.requests++
	if failed {
		r.fresh.errors++
	}
	if r.fresh.latency == nil {
		r.fresh.latency = newSketch()
	}
	ms := float64(min(max(took, shortest), longest)) / float64(time.Millisecond)
	if err := r.fresh.latency.Add(ms); err != nil {
		panic(err) // the bounds are within what every sketch can hold
	}
}

func newSketch() *ddsketch.DDSketch {
	s, err := ddsketch.NewDefaultDDSketch(sketchAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return s
}

// Health is a SessionOptions.Health of a program that says it is Healthy; Fill
// is for those with more to say.
func (r *Recorder) Health(context.Context) (wire.Health, func()) {
	return r.Fill(wire.Health{Status: "Healthy"})
}

// Fill adds to h what was observed since the last heartbeat that the server took.
// sent says that this one was: without it, the next heartbeat carries it too.
func (r *Recorder) Fill(h wire.Health) (filled wire.Health, sent func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.carried.add(r.fresh)
	r.fresh = counted{}
	requests, errors := r.carried.requests, r.carried.errors
	h.Requests, h.Errors = &requests, &errors
	if r.carried.latency != nil {
		h.LatencySketch = encode(r.carried.latency)
	}
	r.round++
	round := r.round
	return h, func() { r.took(round) }
}

// took forgets what a heartbeat carried. One after which another was begun, which
// carries the same once more, is not the last to be heard of.
func (r *Recorder) took(round uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if round == r.round {
		r.carried = counted{}
	}
}

func (c *counted) add(more counted) {
	c.requests, c.errors = c.requests+more.requests, c.errors+more.errors
	switch {
	case more.latency == nil:
	case c.latency == nil:
		c.latency = more.latency
	default:
		if err := c.latency.MergeWith(more.latency); err != nil {
			panic(err) // both have the same mapping
		}
	}
}

func encode(s *ddsketch.DDSketch) []byte {
	text, err := proto.Marshal(s.ToProto())
	if err != nil {
		panic(err) // it holds numbers and nothing else
	}
	return text
}
