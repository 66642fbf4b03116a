package api_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
)

// deaf is a limiter whose Redis answers nobody until the request gives up.
type deaf struct{}

func (deaf) Take(ctx context.Context, _ string, _ int) (int, time.Time, bool) {
	<-ctx.Done()
	return 0, time.Now().Add(time.Minute), false
}

// What takes back what hurts asks no Redis, and has an allowance of its own.
func TestTheEmergencyDoorHasItsOwnLimiter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.LimitFactor = 1
		o.SharedLimits = func(coord.Limiter) coord.Limiter { return deaf{} }
	})
	w.profile()
	w.version("1.0.0", data("1"))
	w.version("1.0.1", data("2"))
	op := w.tokens[api.Operator]
	var a answer
	for range 30 {
		a = w.want(w.call(op, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 409, "CONFLICT") // nothing ran yet
	}
	if a.header.Get("X-RateLimit-Remaining") != "0" || a.header.Get("X-RateLimit-Limit") != "30" {
		t.Errorf("the last one allowed says %v", a.header)
	}
	a = w.want(w.call(op, "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 429, "RATE_LIMIT_EXCEEDED")
	if a.header.Get("Retry-After") == "" {
		t.Error("it says not when to come again")
	}
	// Another door, and another person, are not held up by it.
	w.want(w.call(op, "POST", "/deployments/none/pause", wire.ReasonRequest{}), 404)
	w.want(w.call(w.tokens[api.Admin], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 409)
}

// Made-up tokens at an urgent door lose the connections that are kept for it, and
// take them from nobody else.
func TestAFloodOfMadeUpTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 600 {
		if api.Demoted(w.api, "192.0.2.1") {
			t.Fatal("somebody who asks now and then is taken for a flood")
		}
	}
	if !api.Demoted(w.api, "192.0.2.1") {
		t.Error("a flood has its tokens looked up over the kept connections")
	}
	if api.Demoted(w.api, "192.0.2.2") {
		t.Error("the flood takes them from somebody else")
	}
	w.want(w.call("slt_made-up", "POST", "/deployments/x/pause", nil), 401, "UNAUTHORIZED")
}

// When all who may read at once do, another one waits and is told so in time; who
// stops or takes back a change, an instance and a probe wait for none of them.
func TestACrowdOfReaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inTime)
	w.profile()
	w.version("1.0.0", data("1"))
	one := w.register("one")
	giveBack := api.Crowd(w.api)
	w.want(w.call(w.tokens[api.Operator], "POST", "/configs/"+name+"/rollback", wire.ReasonRequest{Reason: "slow"}), 409)
	w.want(w.call(w.tokens[api.Operator], "GET", "/configs/"+name+"/rollback", nil), 409)
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments/none/pause", wire.ReasonRequest{}), 404)
	w.want(w.call(one.token, "POST", "/instances/"+one.id+"/heartbeat", wire.HeartbeatRequest{}), 200)
	w.want(w.call("", "GET", "//readyz", nil), 200)
	one.assigned()
	a := w.want(w.admin("GET", "/configs", nil), 503, "SERVICE_UNAVAILABLE")
	if a.header.Get("Retry-After") == "" {
		t.Error("it says not when to come again")
	}
	giveBack()
	w.want(w.admin("GET", "/configs", nil), 200)
}

// Who asks for a long list and does not read it gives its turn back all the same.
func TestAReaderWhoTakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.WriteTimeout = 50 * time.Millisecond })
	w.profile()
	w.version("1.0.0", profile.Data{"text": strings.Repeat("x", 900<<10)})
	ask := fmt.Sprintf("GET /api/v1/configs/%s/versions/1.0.0 HTTP/1.1\r\nHost: sluice\r\nAuthorization: Bearer %s\r\n\r\n", name, w.tokens[api.Viewer])
	for range 4 * runtime.GOMAXPROCS(0) {
		conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
		w.must(err)
		defer conn.Close()
		w.must(conn.(*net.TCPConn).SetReadBuffer(4 << 10))
		_, err = fmt.Fprint(conn, strings.Repeat(ask, 30)) // more than lies anywhere on the way
		w.must(err)
	}
	w.want(w.admin("GET", "/configs", nil), 200)
	api.Crowd(w.api)()
}
