package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
)

// Many clients that wait are all told of one change, and of each that follows.
func TestManyClientsWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking)
	w.profile()
	w.version("1.0.0", data("30s"))
	w.complete("1.0.0")
	const many = 100
	for _, next := range []string{"1.1.0", "1.2.0"} {
		index := w.key(w.tokens[api.Viewer], name+"/timeout").header.Get("X-Consul-Index")
		var all sync.WaitGroup
		got := make([]answer, many)
		for i := range got {
			all.Go(func() {
				got[i] = w.call(w.tokens[api.Viewer], "GET", fmt.Sprintf("//v1/kv/%s/timeout?raw&wait=60s&index=%s", name, index), nil)
			})
		}
		w.until("everybody to wait", func() bool { return api.Hinted(w.api) == many })
		w.version(next, data("for "+next))
		began := time.Now()
		w.complete(next)
		all.Wait()
		t.Logf("%d clients have %s %s after it began", many, next, time.Since(began))
		for _, a := range got {
			if a.status != http.StatusOK || string(a.body) != "for "+next {
				t.Fatalf("of %s a client has %d %s", next, a.status, a.body)
			}
		}
	}
}
