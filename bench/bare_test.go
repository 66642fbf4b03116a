package bench_test

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// crowd is everybody who waits for a broadcast at a bare server.
type crowd struct {
	mu      sync.Mutex
	waiting map[chan []byte]struct{}
}

func (c *crowd) join() (news chan []byte, leave func()) {
	news = make(chan []byte, 1)
	c.mu.Lock()
	c.waiting[news] = struct{}{}
	c.mu.Unlock()
	return news, func() {
		c.mu.Lock()
		delete(c.waiting, news)
		c.mu.Unlock()
	}
}

// bareServer is the floor: net/http, a goroutine for each request that writes what it is given.
// GET /stream is a stream of server-sent events, GET /poll an answer when there is something new.
func bareServer(context.Context) (serving, error) {
	c := &crowd{waiting: map[chan []byte]struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		news, leave := c.join()
		defer leave()
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		text := []byte("event: assignments\ndata: {}\n\n")
		for {
			if _, err := w.Write(text); err != nil || control.Flush() != nil {
				return
			}
			select {
			case text = <-news:
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("GET /poll", func(w http.ResponseWriter, r *http.Request) {
		news, leave := c.join()
		defer leave()
		select {
		case text := <-news:
			w.Write(text) //nolint:errcheck // the reader says whether it came
		case <-r.Context().Done():
		}
	})
	tell := func(_ context.Context, data []byte) (int64, error) {
		now := time.Now().UnixNano()
		c.mu.Lock()
		defer c.mu.Unlock()
		for news := range c.waiting {
			news <- data
		}
		return now, nil
	}
	return serving{mux, map[string]command{"tell": tell}}, nil
}
