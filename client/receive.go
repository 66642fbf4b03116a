package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

const (
	// firstEvent is how long a new stream may take to say what is assigned. Servers say it at once; a
	// proxy that collects the whole answer never does.
	firstEvent = 10 * time.Second
	// pollFor is how long long polls are preferred after a stream gave nothing.
	pollFor  = 10 * time.Minute
	pollWait = 50 * time.Second
)

// ReconnectError ends a stream whose server asks to connect again.
type ReconnectError struct{ After time.Duration }

// Error names the pause.
func (e *ReconnectError) Error() string {
	return fmt.Sprintf("server asks to reconnect after %s", e.After)
}

// WatchAssignments opens an instance's stream, whose token the client must have, and yields what is
// assigned at once and at each change. It ends with one error: io.EOF when the server closed the
// stream, *ReconnectError when it asks for another connection.
func (c *Client) WatchAssignments(ctx context.Context, id string) iter.Seq2[wire.Assignments, error] {
	return func(yield func(wire.Assignments, error) bool) {
		s, err := c.open(ctx, pathf("instances", id, "watch"), "", firstEvent)
		if err != nil {
			yield(wire.Assignments{}, err)
			return
		}
		defer s.close()
		for {
			e, err := s.next()
			if err != nil {
				yield(wire.Assignments{}, s.why(err))
				return
			}
			switch e.name {
			case "reconnect":
				yield(wire.Assignments{}, &ReconnectError{After: e.pause()})
				return
			case "assignments":
				var set wire.Assignments
				if err := json.Unmarshal(e.data, &set); err != nil {
					yield(set, fmt.Errorf("assignments event: %w", err))
					return
				}
				s.setSilence(streamSilence)
				if !yield(set, nil) {
					return
				}
			}
		}
	}
}

// PollAssignments asks what is assigned and waits up to wait while it is what etag says. changed is
// false when it still is.
func (c *Client) PollAssignments(ctx context.Context, id, etag string, wait time.Duration) (
	set wire.Assignments, newTag string, changed bool, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, wait+callTimeout)
	defer cancel()
	header := http.Header{"Prefer": {"wait=" + strconv.Itoa(int(wait.Seconds()))}}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	k := call{method: http.MethodGet, path: pathf("instances", id, "configs"), header: header}
	res, err := c.send(ctx, k)
	if err != nil {
		return set, etag, false, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified {
		return set, etag, false, nil
	}
	if err := decode(res, k, &set); err != nil {
		return set, etag, false, err
	}
	return set, res.Header.Get("ETag"), true, nil
}

// receiver keeps one identity's assignments coming.
type receiver struct {
	session *Session
	client  *Client
	id      identity
	heard   func() // called when the server said what is assigned

	failures  int
	pollUntil time.Time
	etag      string
}

// run works until ctx ends or the identity is lost.
func (r *receiver) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.once(ctx)
		if ctx.Err() != nil || err == nil {
			continue
		}
		if lostIdentity(err) {
			r.session.lose(r.id, err)
			return
		}
		wait := r.pause(err)
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

func (r *receiver) once(ctx context.Context) error {
	if time.Now().Before(r.pollUntil) {
		return r.poll(ctx)
	}
	return r.stream(ctx)
}

// pause says how long to stay away after err, and whether to change over to long polls or back.
func (r *receiver) pause(err error) time.Duration {
	log := r.session.log
	if hint, ok := errors.AsType[*ReconnectError](err); ok {
		log.Info("server asks to reconnect", "after", hint.After)
		return max(hint.After, Backoff(0, rand.Float64())) // whatever it asks: never at once, and not in step with others
	}
	r.session.markAway()
	polling := time.Now().Before(r.pollUntil)
	if !polling && swallowed(err) {
		log.Warn("event stream gave nothing: changing over to long polls", "error", err)
		r.pollUntil = time.Now().Add(pollFor)
		return 0
	}
	r.session.hears(err)
	r.pollUntil = time.Time{}
	if r.failures == 0 {
		log.Warn("connection to the server lost, trying again", "server", r.client.Server(), "error", err)
	}
	wait := pauseFor(err, r.failures)
	r.failures++
	return wait
}

// swallowed says that something answered, and no stream came through.
func swallowed(err error) bool {
	if e, ok := errors.AsType[*APIError](err); ok {
		switch e.Status {
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented:
			return true
		}
		return false
	}
	return errors.Is(err, errNoStream) || errors.Is(err, errSilent)
}

func (r *receiver) take(set wire.Assignments) {
	if r.failures > 0 {
		r.session.log.Info("connected to the server again", "server", r.client.Server())
	}
	r.failures = 0
	r.session.hears(nil)
	r.heard()
	r.session.deliver(r.id, set, true)
}

func (r *receiver) stream(ctx context.Context) error {
	got := false
	for set, err := range r.client.WatchAssignments(ctx, r.id.ID) {
		if err == nil {
			got = true
			r.take(set)
			continue
		}
		if !got && errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it ended at once", errSilent)
		}
		if got && errors.Is(err, errSilent) {
			return fmt.Errorf("stream: no keep-alive for %s", streamSilence)
		}
		return err
	}
	return ctx.Err()
}

func (r *receiver) poll(ctx context.Context) error {
	start := time.Now()
	set, etag, changed, err := r.client.PollAssignments(ctx, r.id.ID, r.etag, pollWait)
	if err != nil {
		return err
	}
	r.etag = etag
	if changed {
		r.take(set)
	}
	if quick := time.Second - time.Since(start); quick > 0 && (!changed || etag == "") {
		// The server, or a proxy, does not wait as asked: do not turn that into a storm.
		return sleep(ctx, quick+time.Duration(rand.Int64N(int64(time.Second))))
	}
	return nil
}
