package fakeforge

import (
	"bytes"
	"io"
	"net/http"
)

// Event is something that the forge tells by webhook.
type Event struct {
	Kind    EventKind
	Ref     string // of a push: refs/heads/main
	Before  string // of a push
	After   string
	Number  int    // of the pull request
	Action  string // of a pull request, as the forge calls it; "opened" when empty
	Comment int64  // id of the comment
}

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	Ping        EventKind = "ping"
	Pushed      EventKind = "push"
	PullChanged EventKind = "pull request"
	Commented   EventKind = "comment"
	Reviewed    EventKind = "review" // the last review of the pull request
)

// Delivery is what the forge sends for an event, signed.
func (f *Forge) Delivery(e Event, secret string) (http.Header, []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	h, body := f.speak.event(f, e)
	h.Set("Content-Type", "application/json")
	f.speak.sign(h, secret, body)
	return h, body
}

// Deliver sends an event and returns the status of the answer.
func (f *Forge) Deliver(url, secret string, e Event) int {
	f.t.Helper()
	h, body := f.Delivery(e, secret)
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = h
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()                                      // nothing is lost
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // only the status matters
	return resp.StatusCode
}
