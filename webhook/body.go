package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// smallBody is what every request may bring at once. Nearly all webhooks are
// smaller; what is larger takes its turn.
const smallBody = 64 << 10

// largeBuffers is how many larger bodies are held at once.
const largeBuffers = 2

// bodies reads bodies within a bound on what all of them hold together.
type bodies struct {
	most     int64
	patience time.Duration
	// room are the buffers of large bodies, nil until they are first used. They are
	// used again: what a flood of large bodies left behind would be as much again.
	room chan []byte
}

func newBodies(most int64, patience time.Duration) *bodies {
	b := &bodies{most: most, patience: patience, room: make(chan []byte, largeBuffers)}
	for range largeBuffers {
		b.room <- nil
	}
	return b
}

// read reads a body, which is the caller's until done: that must be called,
// whatever comes out.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > b.most {
		return nil, done, errTooLarge
	}
	control := http.NewResponseController(w)
	if err := deadline(control, time.Now().Add(b.patience)); err != nil {
		return nil, done, err
	}
	size := int64(smallBody)
	if r.ContentLength >= 0 {
		size = min(size, r.ContentLength)
	}
	limited := http.MaxBytesReader(w, r.Body, b.most)
	body, whole, err := fill(make([]byte, 0, size+1), limited)
	if err == nil && !whole {
		var large []byte
		if large, err = b.buffer(r.Context()); err == nil {
			done = func() { b.room <- large }
			body, _, err = fill(append(large[:0], body...), limited)
		}
	}
	if err == nil {
		err = deadline(control, time.Time{}) // it was for the body alone
	}
	return body, done, err
}

// buffer waits for one of the large buffers.
func (b *bodies) buffer(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	select {
	case buffer := <-b.room:
		if buffer == nil {
			buffer = make([]byte, 0, b.most+1)
		}
		return buffer, nil
	case <-ctx.Done():
		return nil, errCrowded
	}
}

// fill appends what r has to buf, up to its capacity. whole says that r ended.
func fill(buf []byte, r io.Reader) (filled []byte, whole bool, err error) {
	for len(buf) < cap(buf) {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, true, nil
		}
		if err != nil {
			return nil, false, unread(err)
		}
	}
	return buf, false, nil
}

// deadline is when the request must be read; servers of tests know none.
func deadline(control *http.ResponseController, at time.Time) error {
	if err := control.SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errBroken
	}
	return nil
}

// unread says why a body was not read to its end.
func unread(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTooSlow
	}
	return errBroken
}
