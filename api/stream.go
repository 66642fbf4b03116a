package api

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
)

// defaultWriteTimeout bounds one write to a slow reader: who cannot take an
// event in that time is let go, and connects again.
const defaultWriteTimeout = 10 * time.Second

// eventStream writes server-sent events to one reader.
type eventStream struct {
	out     eventWriter
	timeout time.Duration
}

// eventWriter is where they go: the answer of a request, or its connection.
type eventWriter interface {
	io.Writer
	Flush() error
	SetWriteDeadline(by time.Time) error
}

// answerWriter is the answer of a request.
type answerWriter struct {
	io.Writer
	*http.ResponseController
}

func (a *API) openStream(c echo.Context) (*eventStream, error) {
	streamHeader(c)
	s := &eventStream{out: answerWriter{c.Response(), http.NewResponseController(c.Response().Writer)}, timeout: a.opts.WriteTimeout}
	if err := unhurried(c); err != nil {
		return nil, err
	}
	c.Response().WriteHeader(http.StatusOK)
	return s, s.write(nil)
}

func streamHeader(c echo.Context) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies must pass events on as they come
}

// unhurried takes the server's bound on reading a request off one that waits on
// purpose: it would end a stream, or a long poll, in the middle.
func unhurried(c echo.Context) error {
	if err := http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("let a request wait: %w", err)
	}
	return nil
}

// write passes text on at once. The bound is set before: the one of the last
// write is long over when a quiet stream has something to say, and whatever
// does not fit into a buffer is written before any flush.
func (s *eventStream) write(text []byte) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return fmt.Errorf("bound a write: %w", err)
	}
	if _, err := s.out.Write(text); err != nil {
		return err
	}
	return s.out.Flush()
}

// send writes one event with JSON data.
func (s *eventStream) send(name, id string, data any) error {
	text, err := encode(data)
	if err != nil {
		return fmt.Errorf("event %s: %w", name, err)
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.write(fmt.Appendf(nil, "event: %s\n%sdata: %s\n\n", name, id, text))
}

// sendAssignments writes the event of what an instance should run.
func (s *eventStream) sendAssignments(set deliveries, instanceID string) error {
	return withBuffer(func(b []byte) ([]byte, error) {
		b = append(b, "event: assignments\ndata: "...)
		b = append(set.appendFor(b, instanceID), "\n\n"...)
		return b, s.write(b)
	})
}

// buffers are those that events are put together in.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostBuffered is how large a buffer is kept.
const mostBuffered = 64 << 10

// withBuffer lends a buffer, which use gives back as it has become.
func withBuffer(use func(b []byte) ([]byte, error)) error {
	lent := buffers.Get().(*[]byte)
	b, err := use((*lent)[:0])
	if cap(b) <= mostBuffered {
		*lent = b
		buffers.Put(lent)
	}
	return err
}

// keepAlive writes a comment, so that both ends see that the line stands.
func (s *eventStream) keepAlive() error { return s.write([]byte(": here\n\n")) }

// How far apart the readers of a stopping server come back: the more there are,
// the further, so that the next one is not met by all of them at once.
const (
	leastSpread     = 2 * time.Second
	mostSpread      = time.Minute
	spreadPerReader = 3 * time.Millisecond
)

func spread(readers int) time.Duration {
	return min(max(leastSpread, time.Duration(readers)*spreadPerReader), mostSpread)
}

// reconnect asks the reader to connect again at some time within.
func (s *eventStream) reconnect(within time.Duration) error {
	return s.send("reconnect", "", wire.Reconnect{AfterMillis: 100 + rand.Int64N(within.Milliseconds())})
}
