package api_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
)

// A replica that is about to stop says so to load balancers first and serves on;
// then its streams are moved on, apart from each other, its long polls are
// answered, and what is under way ends as it would have.
func TestDrain(t *testing.T) {
	t.Parallel()
	entered, goOn := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(o *api.Options) {
		o.SyncSource = func(string) bool {
			close(entered)
			<-goOn
			return true
		}
	})
	one := w.register("one")
	tag := w.want(w.call(one.token, "GET", "/instances/"+one.id+"/configs", nil), 200).header.Get("ETag")
	var hints []<-chan string
	for n := range 24 {
		each := w.register(fmt.Sprintf("instance-%d", n))
		hints = append(hints, w.events(each.token, "/instances/"+each.id+"/watch", "reconnect"))
	}
	polled, synced := make(chan answer, 1), make(chan answer, 1)
	go func() {
		polled <- w.call(one.token, "GET", "/instances/"+one.id+"/configs", nil, "If-None-Match", tag, "Prefer", "wait=50")
	}()
	go func() { synced <- w.call(w.tokens[api.Operator], "POST", "/sources/configs/sync", nil) }()
	<-entered
	w.until("the poll to wait", func() bool { return api.Readers(w.api) == len(hints)+1 })

	w.api.Unready()
	w.want(w.call("", "GET", "//readyz", nil), 503)
	w.want(w.call("", "GET", "//healthz", nil), 200)
	if got := w.want(w.admin("GET", "/configs", nil), 200); !got.last {
		t.Error("the connection is kept: the next request comes here again")
	}
	for _, hint := range hints {
		select {
		case text := <-hint:
			t.Fatalf("moved on before load balancers could notice: %q", text)
		default:
		}
	}
	if n := api.Readers(w.api); n != len(hints)+1 {
		t.Errorf("%d readers are left before the drain", n)
	}

	w.api.Drain()
	select {
	case got := <-polled:
		w.want(got, 304)
	case <-time.After(20 * time.Second):
		t.Fatal("the long poll goes on")
	}
	within, pauses := api.Spread(len(hints)+1)+100*time.Millisecond, map[int64]bool{}
	for _, hint := range hints {
		var said struct{ AfterMillis int64 }
		w.must(json.Unmarshal([]byte(w.next(hint)), &said))
		if after := time.Duration(said.AfterMillis) * time.Millisecond; after < 100*time.Millisecond || after > within {
			t.Errorf("asked to come back after %s, not within %s", after, within)
		}
		pauses[said.AfterMillis/100] = true
		w.ends(hint)
	}
	if len(pauses) < 6 {
		t.Errorf("%d readers are asked to come back in %d tenths of seconds only", len(hints), len(pauses))
	}
	w.want(w.admin("GET", "/configs", nil), 200) // the listener is open, so there are answers
	close(goOn)
	w.want(<-synced, 202)
}
