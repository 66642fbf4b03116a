package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// writeTimeout bounds one write to a slow reader: who cannot take an event in
// that time is let go, and connects again.
const writeTimeout = 10 * time.Second

// eventStream writes server-sent events to one reader.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func openStream(c echo.Context) (*eventStream, error) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies must pass events on as they come
	s := &eventStream{w: c.Response(), control: http.NewResponseController(c.Response().Writer)}
	c.Response().WriteHeader(http.StatusOK)
	return s, s.flush()
}

func (s *eventStream) flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("bound a write: %w", err)
	}
	return s.control.Flush()
}

// send writes one event with JSON data.
func (s *eventStream) send(name, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	return s.sendText(name, id, text)
}

func (s *eventStream) sendText(name, id string, data []byte) error {
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\n%sdata: %s\n\n", name, id, data); err != nil {
		return err
	}
	return s.flush()
}

// keepAlive writes a comment, so that both ends see that the line stands.
func (s *eventStream) keepAlive() error {
	if _, err := fmt.Fprint(s.w, ": here\n\n"); err != nil {
		return err
	}
	return s.flush()
}

// reconnect asks the reader to connect again, spread over some time, so that a
// stopping server does not send all of its readers to the next one at once.
func (s *eventStream) reconnect() error {
	return s.send("reconnect", "", map[string]int64{"afterMillis": 100 + rand.Int64N(2000)})
}
