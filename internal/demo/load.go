package demo

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// load sends requestsPerSecond real requests to the service until ctx ends,
// and returns when the last of them was answered.
func load(ctx context.Context, client *http.Client, url string, requestsPerSecond int) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	mean := float64(time.Second) / float64(requestsPerSecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		// Arrivals are independent of each other, as those of real callers are.
		timer.Reset(time.Duration(mean * rand.ExpFloat64()))
		inFlight.Go(func() { request(ctx, client, url) })
	}
}

// request sends one. A failure needs no handling here: it is what the service
// counts and the gate judges.
func request(ctx context.Context, client *http.Client, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) //nolint:errcheck // only drains the connection for reuse
}
