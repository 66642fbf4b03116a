package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// ends waits until a stream is over.
func (w *world) ends(events <-chan string) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-deadline:
			w.t.Fatal("the stream does not end")
		}
	}
}

// A reader who takes nothing is let go, and the others do not wait for it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.WriteTimeout, o.KeepAlive = 300*time.Millisecond, 20*time.Millisecond })
	slow, quick := w.register("slow"), w.register("quick")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.http.URL, "http://"))
	w.must(err)
	defer conn.Close()
	w.must(conn.(*net.TCPConn).SetReadBuffer(2 << 10))
	_, err = fmt.Fprintf(conn, "GET /api/v1/instances/%s/watch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", slow.id, slow.token)
	w.must(err)
	open := func(n int) func() bool {
		return func() bool {
			return strings.Contains(string(w.call("", "GET", "//metrics", nil).body), fmt.Sprintf("sluice_watch_streams %d\n", n))
		}
	}
	w.until("the slow stream to be open", open(1))
	stream := w.events(quick.token, "/instances/"+quick.id+"/watch", "assignments")
	w.next(stream)
	w.until("both streams to be open", open(2))
	flood := 0
	w.until("the slow reader to be let go", func() bool {
		flood++ // its buffers fill with what changes meanwhile
		w.must(w.fill(slow.id, flood))
		return open(1)()
	})
	w.must(w.fill(quick.id, 0))
	if got := w.next(stream); !strings.Contains(got, "yyyy") {
		t.Errorf("the quick reader got %.100s", got)
	}
}

// fill gives the instance one more assignment of 30 KiB.
func (w *world) fill(id string, n int) error {
	ctx := w.t.Context()
	r := profile.Record{
		Name: fmt.Sprintf("filler-%d", n), Service: "filler", Environment: profile.Staging, Strategy: profile.DefaultStrategy(profile.Direct),
		Health: profile.DefaultHealth(profile.Development), Origin: profile.OriginGit, Source: "configs", Path: fmt.Sprintf("filler/%d.yaml", n), CreatedBy: "test",
	}
	if err := w.store.PutProfile(ctx, r); err != nil {
		return err
	}
	data := profile.Data{"text": strings.Repeat("y", 30<<10)}
	if err := w.store.InsertVersion(ctx, profile.Version{Profile: r.Name, Number: "1.0.0", Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}); err != nil {
		return err
	}
	return w.store.Create(ctx, rollout.Decision{
		Next: rollout.Deployment{
			ID: uuid.NewString(), Profile: r.Name, Kind: rollout.Forward, Version: "1.0.0", Hash: profile.Hash(data), State: rollout.Pending,
			Selector: fleet.Selector{Service: r.Service, Environment: r.Environment}, Strategy: r.Strategy, Health: r.Health, CreatedAt: time.Now(),
		},
		Changed: true, Assign: []rollout.Assign{{InstanceID: id, Version: "1.0.0", Hash: profile.Hash(data)}},
	})
}

// An instance that was removed is told so, instead of that it has nothing to run.
func TestRemovedInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) { o.KeepAlive = time.Hour })
	one := w.register("one")
	path := "/instances/" + one.id + "/configs"
	tag := w.want(w.call(one.token, "GET", path, nil), 200).header.Get("ETag")
	stream := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	w.next(stream)
	polled := make(chan answer, 1)
	go func() { polled <- w.call(one.token, "GET", path, nil, "If-None-Match", tag, "Prefer", "wait=50") }()
	w.until("the poll to wait", func() bool { return api.Readers(w.api) == 2 })
	w.want(w.admin("DELETE", "/instances/"+one.id, nil), 204)
	w.ends(stream)
	select {
	case got := <-polled:
		w.want(got, 401, "UNAUTHORIZED")
	case <-time.After(20 * time.Second):
		t.Fatal("the poll goes on")
	}
}

// One that was removed behind this server's back is found out by the keep-alive.
func TestRemovedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.register("one")
	stream := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	w.next(stream)
	w.must(w.store.DeregisterInstance(t.Context(), one.id, "another replica"))
	w.ends(stream)
}

// The newest streams of an instance are the ones that count.
func TestStreamsOfOneInstanceAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.register("one")
	first := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	w.next(first)
	for range 4 {
		w.next(w.events(one.token, "/instances/"+one.id+"/watch", "assignments"))
	}
	w.ends(first)
	if n := api.Readers(w.api); n != 4 {
		t.Errorf("%d streams are open", n)
	}
}

// A change of one profile wakes nobody else, and a lost message costs a second.
func TestOnlyWhoIsConcernedIsWoken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	w.until("the polls of before to be forgotten", func() bool { return !api.Watching(w.api) })
	wakes, stop := api.Wakes(w.api, one.id)
	defer stop()
	<-wakes // the first look does not know what changed
	w.must(w.fill(w.register("other").id, 1))
	w.must(w.fill(w.register("another").id, 2))
	quiet := time.NewTimer(1500 * time.Millisecond) // more than one look
	defer quiet.Stop()
	select {
	case <-wakes:
		t.Error("woken by a profile that it has no part in")
	case <-quiet.C:
	}
	w.must(w.fill(one.id, 3)) // nobody publishes this
	select {
	case <-wakes:
	case <-time.After(20 * time.Second):
		t.Error("never woken")
	}
}

func TestWeakTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.register("one")
	tag := w.want(w.call(one.token, "GET", "/instances/"+one.id+"/configs", nil), 200).header.Get("ETag")
	w.want(w.call(one.token, "GET", "/instances/"+one.id+"/configs", nil, "If-None-Match", "W/"+tag), 304)
}

// A server that goes away and comes back on the same database takes its
// instances up where they were.
func TestServerComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	stream := w.events(one.token, "/instances/"+one.id+"/watch", "assignments")
	before := w.next(stream)
	w.lines.cut() // killed, not drained
	w.ends(stream)
	w.http.Close()
	w.http = httptest.NewServer(w.api.Handler())
	after := w.next(w.events(one.token, "/instances/"+one.id+"/watch", "assignments"))
	if before != after {
		t.Errorf("before the restart %s, after it %s", before, after)
	}
}

// Following a deployment ends with the token, and nobody follows without end.
func TestFollowingIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.register("one") // never acknowledges
	d := w.deploy("1.0.0")
	token := api.NewToken(api.UserToken)
	id := uuid.NewString()
	w.must(w.store.CreateToken(t.Context(), store.Token{ID: id, Name: "ci", Kind: store.TokenAPI, Role: string(api.Viewer), Hash: api.HashToken(token), CreatedBy: "test"}))
	path := "/deployments/" + d.ID + "/events"
	var streams []<-chan string
	for range 20 {
		s := w.events(token, path, "deployment")
		w.next(s)
		streams = append(streams, s)
	}
	w.want(w.call(token, "GET", path, nil), 429, "RATE_LIMIT_EXCEEDED")
	w.next(w.events(w.tokens[api.Viewer], path, "deployment")) // somebody else may
	w.want(w.admin("DELETE", "/tokens/"+id, nil), 204)
	for _, s := range streams {
		w.ends(s)
	}
	hint := w.events(w.tokens[api.Viewer], path, "reconnect")
	w.api.Drain()
	w.next(hint)
}

// A drained server asks many readers to come back further apart than a few.
func TestSpread(t *testing.T) {
	t.Parallel()
	for readers, want := range map[int]time.Duration{0: 2 * time.Second, 10: 2 * time.Second, 10_000: 30 * time.Second, 1_000_000: time.Minute} {
		if got := api.Spread(readers); got != want {
			t.Errorf("%d readers come back within %s, want %s", readers, got, want)
		}
	}
}

// An event is one line, whatever is in it.
func TestEventIsOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", profile.Data{"text": "a\r\ndata: b\n\nevent: reconnect\r"})
	one := w.register("one")
	w.complete("1.0.0", one)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+"/api/v1/instances/"+one.id+"/watch", http.NoBody)
	w.must(err)
	req.Header.Set("Authorization", "bearer "+one.token)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{"event: assignments\n", "data: {", "\n"} {
		line, err := lines.ReadString('\n')
		w.must(err)
		if !strings.HasPrefix(line, want) {
			t.Fatalf("got the line %q, want %q", line, want)
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			var set wire.Assignments
			w.must(json.Unmarshal([]byte(text), &set))
		}
	}
}
