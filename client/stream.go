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
	"slices"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// streamSilence ends a stream on which not even keep-alives came; the server sends one each 15 s.
const streamSilence = 45 * time.Second

// ErrDisconnected is wrapped by the errors of an event iterator that will reconnect by itself.
var ErrDisconnected = errors.New("connection to the server lost")

// errSilent says that a stream opened, or should have, and gave nothing.
var errSilent = errors.New("stream is silent")

// errNoStream says that the answer was a success and no event stream, as behind some proxies.
var errNoStream = errors.New("no event stream")

// stream is one open event stream. A watchdog ends it when nothing comes for a while.
type stream struct {
	*eventReader
	ctx     context.Context // ends with errSilent when the watchdog ended the stream
	cancel  context.CancelCauseFunc
	body    io.ReadCloser
	dog     *time.Timer
	silence time.Duration // that the watchdog allows
}

// open connects an event stream. It gives up when nothing, neither an answer nor a byte of the
// stream, comes for silence.
func (c *Client) open(ctx context.Context, path, lastID string, silence time.Duration) (*stream, error) {
	s := &stream{silence: silence}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.dog = time.AfterFunc(silence, func() { s.cancel(errSilent) })
	header := http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-store"}}
	if lastID != "" {
		header.Set("Last-Event-ID", lastID)
	}
	//nolint:bodyclose // the stream keeps the body; its close closes it
	res, err := c.send(s.ctx, call{method: http.MethodGet, path: path, header: header})
	if err != nil {
		s.dog.Stop()
		s.cancel(nil)
		return nil, s.why(err)
	}
	s.body = res.Body
	s.eventReader = newEventReader(s)
	if !isEventStream(res.Header.Get("Content-Type")) {
		s.close()
		return nil, fmt.Errorf("GET %s: %w", path, errNoStream)
	}
	return s, nil
}

// Read reads the body and keeps the watchdog quiet.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if n > 0 && s.dog.Stop() {
		s.dog.Reset(s.silence)
	}
	return n, err
}

func (s *stream) setSilence(d time.Duration) {
	s.silence = d
	if s.dog.Stop() {
		s.dog.Reset(d)
	}
}

// why returns the reason behind an error: the watchdog's, if it ended the stream.
func (s *stream) why(err error) error {
	if errors.Is(context.Cause(s.ctx), errSilent) {
		return errSilent
	}
	return err
}

func (s *stream) close() {
	s.dog.Stop()
	s.cancel(nil)
	_ = s.body.Close() // nothing was written, and the connection is given up
}

// reconnectHint is the data of a "reconnect" event.
type reconnectHint struct {
	AfterMillis int64 `json:"afterMillis"`
}

// pause reads how long to stay away, at most a minute.
func (e event) pause() time.Duration {
	var h reconnectHint
	if json.Unmarshal(e.data, &h) != nil || h.AfterMillis < 0 {
		return 0
	}
	return min(time.Duration(min(h.AfterMillis, 60_000))*time.Millisecond, time.Minute)
}

// Final says that a deployment of this status never changes again.
func Final(status string) bool {
	return slices.Contains([]string{"Completed", "Failed", "RolledBack", "Superseded", "Cancelled"}, status)
}

// DeploymentEvents follows a deployment: it yields the deployment as it is and then at each change,
// with its instances. A lost connection is yielded as an error that wraps ErrDisconnected, and
// connected again, after the last event seen, while the loop goes on; any other error ends it. It
// also ends with ctx and when the server closes the stream of a deployment that has ended.
func (c *Client) DeploymentEvents(ctx context.Context, id string) iter.Seq2[wire.Deployment, error] {
	return func(yield func(wire.Deployment, error) bool) {
		f := follower{client: c, path: pathf("deployments", id, "events")}
		for ctx.Err() == nil {
			err := f.follow(ctx, yield)
			if err == nil || ctx.Err() != nil {
				return
			}
			if permanent(err) {
				yield(wire.Deployment{}, err)
				return
			}
			if !errors.Is(err, errHinted) && !yield(wire.Deployment{}, fmt.Errorf("%w: %w", ErrDisconnected, err)) {
				return
			}
			if sleep(ctx, max(f.hint, Backoff(f.failures, rand.Float64()))) != nil {
				return
			}
			f.failures++
		}
	}
}

// errHinted says that the server asked to reconnect.
var errHinted = errors.New("server asks to reconnect")

type follower struct {
	client   *Client
	path     string
	lastID   string
	status   string
	failures int
	hint     time.Duration
}

// follow reads one connection. It returns nil when there is nothing more to follow.
func (f *follower) follow(ctx context.Context, yield func(wire.Deployment, error) bool) error {
	f.hint = 0
	s, err := f.client.open(ctx, f.path, f.lastID, streamSilence)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		e, err := s.next()
		if err != nil {
			if Final(f.status) && errors.Is(err, io.EOF) {
				return nil
			}
			return s.why(err)
		}
		f.failures = 0
		switch e.name {
		case "reconnect":
			f.hint = e.pause()
			return errHinted
		case "deployment":
			var d wire.Deployment
			if err := json.Unmarshal(e.data, &d); err != nil {
				return fmt.Errorf("deployment event: %w", err)
			}
			f.lastID, f.status = e.id, d.Status
			if !yield(d, nil) {
				return nil
			}
		}
	}
}

// permanent says that asking again will be answered the same.
func permanent(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	return ok && e.Status/100 == 4 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}
