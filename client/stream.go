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

// errNoStream says that the answer was a success and no event stream, as behind some proxies.
var errNoStream = errors.New("no event stream")

// stream is one open event stream.
type stream struct {
	*eventReader
	body io.Closer
	stop context.CancelFunc
}

func (s *stream) close() {
	s.stop()
	_ = s.body.Close() // nothing is written; the connection is given up anyway
}

// open connects an event stream. It fails after callTimeout without an answer, and ends when the
// server is silent for longer than silence.
func (c *Client) open(ctx context.Context, path, lastID string, silence time.Duration) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	header := http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-store"}}
	if lastID != "" {
		header.Set("Last-Event-ID", lastID)
	}
	watchdog := time.AfterFunc(silence, cancel)
	res, err := c.send(ctx, call{method: http.MethodGet, path: path, header: header})
	if err == nil && !isEventStream(res.Header.Get("Content-Type")) {
		err = fmt.Errorf("GET %s: %w", path, errNoStream)
		_ = res.Body.Close() // the answer is of no use
	}
	if err != nil {
		watchdog.Stop()
		cancel()
		return nil, err
	}
	body := &watched{r: res.Body, dog: watchdog, silence: silence}
	stop := func() { watchdog.Stop(); cancel() }
	return &stream{eventReader: newEventReader(body), body: res.Body, stop: stop}, nil
}

// watched feeds a watchdog with each read.
type watched struct {
	r       io.Reader
	dog     *time.Timer
	silence time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.dog.Reset(w.silence)
	}
	return n, err
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
			return err
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
