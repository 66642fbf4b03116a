package api

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// keptWriter is a connection that was taken off its request. What a request
// holds, its buffers and the stack of its handlers, is several times what a stream
// needs that is quiet nearly all the time; ten thousand of them are a few dozen
// megabytes this way.
//
// Nobody reads the connection: that its reader is gone is found by a write.
type keptWriter struct{ conn net.Conn }

var errNotKept = errors.New("the connection stays with its request")

// keepStream answers with the head of a stream and takes its connection over. It
// fails where that cannot be, as with HTTP/2, before anything is written.
func (a *API) keepStream(c echo.Context) (*eventStream, error) {
	r := c.Request()
	if r.ProtoMajor != 1 || !r.ProtoAtLeast(1, 1) {
		return nil, errNotKept
	}
	conn, _, err := http.NewResponseController(c.Response().Writer).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take a connection over: %w", err)
	}
	c.Response().Committed, c.Response().Status = true, http.StatusOK // as the middlewares are to see it
	s := &eventStream{out: keptWriter{conn}, timeout: a.opts.WriteTimeout}
	streamHeader(c)
	h := c.Response().Header()
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Transfer-Encoding", "chunked")
	h.Set(echo.HeaderConnection, "close")
	head := bytes.NewBufferString("HTTP/1.1 200 OK\r\n")
	err = errors.Join(h.Write(head), conn.SetDeadline(time.Now().Add(a.opts.WriteTimeout)))
	head.WriteString("\r\n")
	if err == nil {
		_, err = conn.Write(head.Bytes())
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil {
		// The loop ends at its first event: there is no request to tell of it.
		a.log.DebugContext(r.Context(), "a stream's head was not written", "error", err)
	}
	return s, nil
}

// Write sends text as one chunk.
func (w keptWriter) Write(text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil // an empty chunk would be the last one
	}
	err := withBuffer(func(b []byte) ([]byte, error) {
		b = append(strconv.AppendInt(b, int64(len(text)), 16), "\r\n"...)
		b = append(append(b, text...), "\r\n"...)
		_, err := w.conn.Write(b)
		return b, err
	})
	return len(text), err
}

// Flush has nothing to do.
func (keptWriter) Flush() error { return nil }

// SetWriteDeadline bounds the writes that follow.
func (w keptWriter) SetWriteDeadline(by time.Time) error { return w.conn.SetWriteDeadline(by) }

// close ends a stream whose connection was taken over, and says so to its reader.
func (s *eventStream) close() {
	if kept, ok := s.out.(keptWriter); ok {
		kept.conn.Write([]byte("0\r\n\r\n")) //nolint:errcheck // a reader that is gone need not be told
		kept.conn.Close()                    //nolint:errcheck // what was to be told was told
	}
}
