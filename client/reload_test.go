package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/fakeserver"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// A program without a tracer passes the trace of a change on: to the server, and
// to whatever its callback calls.
func TestTheTraceIsPassedOn(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 9)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Traceparent")
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(other.Close)
	elsewhere, err := client.New(client.Options{Server: other.URL})
	if err != nil {
		t.Fatal(err)
	}
	f := fakeserver.New(t)
	c := newCalls(func(cfg client.Config) error {
		_, err := elsewhere.Freeze(cfg.Context(context.Background()))
		return err
	})
	a := assigned("1.0.0", 1, 1)
	f.Update(func() { f.Large[a.Hash] = a.Data })
	a.Data, a.TraceParent = nil, traceparent
	f.Assign(a)
	watch(t, options(f, t.TempDir()), c)
	f.UntilAck(1, true)
	if got := <-asked; got != traceparent {
		t.Errorf("the callback's request was in the trace %q", got)
	}

	a = assigned("1.0.0", 2, 1) // the same content: it is acknowledged in the trace that assigned it
	a.TraceParent = "00-11111111111111111111111111111111-2222222222222222-01"
	f.Assign(a)
	f.UntilAck(2, true)
	a = assigned("1.0.1", 3, 3)
	a.TraceParent = "no traceparent"
	f.Assign(a)
	f.UntilAck(3, true)
	<-asked
	f.Update(func() {
		want := []string{traceparent, traceparent, "00-11111111111111111111111111111111-2222222222222222-01", ""}
		if !slices.Equal(f.Traces, want) { // the data, and three acknowledgements
			t.Errorf("requests were in the traces %q, want %q", f.Traces, want)
		}
	})
}
