package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	name     = "payment-service.production"
	password = "correct horse battery"
)

// world is the real server over a real database, without sources.
type world struct {
	t      *testing.T
	path   string // of the database: a file or a URL
	store  *store.Store
	engine *rollout.Engine
	api    *api.API
	http   *httptest.Server
	lines  *lines
	tokens map[api.Role]string
	synced chan string
}

// lines are all connections of a server, also those that it gave away.
type lines struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
}

func (l *lines) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open = append(l.open, conn)
	}
	return conn, err
}

// cut ends them as the end of the process does.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		conn.Close()
	}
	l.open = nil
}

type bus struct{ coord.Bus }

func (b bus) Publish(ctx context.Context, profileName string) {
	b.Bus.Publish(ctx, api.ProfileTopic(profileName))
	b.Bus.Publish(ctx, api.AnyProfileTopic)
}

func newWorld(t *testing.T, change ...func(*api.Options)) *world {
	t.Helper()
	return newWorldReading(t, time.Minute, change...)
}

// newWorldReading is newWorld with a bound on reading a request.
func newWorldReading(t *testing.T, readTimeout time.Duration, change ...func(*api.Options)) *world {
	t.Helper()
	return newWorldOn(t, database(t), readTimeout, change...)
}

// inTime has every request answered as soon as people have it.
func inTime(o *api.Options) { o.AnswerWithin = 0 }

// newWorldOn is a world over the database of that URL.
func newWorldOn(t *testing.T, on store.Options, readTimeout time.Duration, change ...func(*api.Options)) *world {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	db, err := store.Open(ctx, on)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	memory := coord.NewMemory()
	w := &world{t: t, path: on.URL, store: db, tokens: map[api.Role]string{}, synced: make(chan string, 8)}
	w.engine = rollout.NewEngine(db, bus{memory}, rollout.EngineOptions{Owner: uuid.NewString(), MaxIdle: 50 * time.Millisecond})
	beats := store.NewHeartbeatWriter(db, time.Millisecond)
	opts := api.Options{
		Store: db, Engine: w.engine, Bus: memory, Heartbeats: beats, LimitFactor: -1, KeepAlive: 100 * time.Millisecond,
		AnswerWithin: time.Minute, // a machine that has much else to do is not what most tests are about
		SyncSource: func(id string) bool {
			if id != "configs" {
				return false
			}
			w.synced <- id
			return true
		},
	}
	for _, c := range change {
		c(&opts)
	}
	if w.api, err = api.New(opts); err != nil {
		t.Fatal(err)
	}
	w.hold()
	w.http = httptest.NewUnstartedServer(w.api.Handler())
	w.http.Config.ReadTimeout = readTimeout
	w.lines = &lines{Listener: w.http.Listener}
	w.http.Listener = w.lines
	w.http.Start()
	done := make(chan struct{}, 2)
	for _, run := range []func(context.Context) error{w.engine.Run, beats.Run} {
		go func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
			done <- struct{}{}
		}()
	}
	t.Cleanup(func() {
		w.api.Drain()
		w.lines.cut()
		w.http.Close()
		stop()
		<-done
		<-done
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, role := range api.Roles() {
		token := api.NewToken(api.UserToken)
		kind := store.TokenAPI
		if role == api.Registration {
			kind = store.TokenRegistration
		}
		w.must(db.CreateToken(ctx, store.Token{
			ID: uuid.NewString(), Name: strings.ToLower(string(role)), Kind: kind, Role: string(role), Hash: api.HashToken(token), CreatedBy: "test",
		}))
		w.tokens[role] = token
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	last   bool // the server ends the connection
}

func (a answer) into(t *testing.T, out any) {
	t.Helper()
	if err := json.Unmarshal(a.body, out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// call asks with a token; body is encoded unless it is text.
func (w *world) call(token, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		w.must(err)
		reader = bytes.NewReader(text)
	}
	if !strings.HasPrefix(path, "//") {
		path = "/api/v1" + path
	} else {
		path = path[1:]
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.http.URL+path, reader)
	w.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	w.must(err)
	return answer{status: resp.StatusCode, header: resp.Header, body: raw, last: resp.Close}
}

func (w *world) admin(method, path string, body any) answer {
	w.t.Helper()
	return w.call(w.tokens[api.Admin], method, path, body)
}

// want fails unless the answer has the status, and the error code if one is given.
func (w *world) want(a answer, status int, code ...string) answer {
	w.t.Helper()
	if a.status != status {
		w.t.Fatalf("answered %d, want %d: %s", a.status, status, a.body)
	}
	if len(code) > 0 {
		var e wire.Error
		a.into(w.t, &e)
		if e.Error.Code != code[0] || e.Error.Message == "" || e.Error.TraceID == "" || e.Error.Timestamp.IsZero() {
			w.t.Fatalf("answered %+v, want the code %s with a message, trace id and time", e.Error, code[0])
		}
	}
	return a
}

// profile puts a Git-managed profile into the store.
func (w *world) profile() profile.Record {
	w.t.Helper()
	strategy := profile.DefaultStrategy(profile.Canary)
	strategy.Steps, strategy.PhaseInterval = []int{50, 100}, profile.Duration(time.Millisecond)
	health := profile.DefaultHealth(profile.Production)
	health.Enabled = false
	r := profile.Record{
		Name: name, Service: "payment-service", Environment: profile.Production, Strategy: strategy, Health: health,
		Origin: profile.OriginGit, Source: "configs", Path: "payment-service/production.yaml", CreatedBy: "test",
	}
	w.must(w.store.PutProfile(w.t.Context(), r))
	return r
}

// version adds a version with the given data.
func (w *world) version(number string, data profile.Data) profile.Version {
	w.t.Helper()
	v := profile.Version{Profile: name, Number: number, Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now(), Commit: strings.Repeat("a", 39) + number[len(number)-1:], Author: "Ann <ann@example.com>"}
	w.must(w.store.InsertVersion(w.t.Context(), v))
	return v
}

// deploy starts a version by the API.
func (w *world) deploy(number string) wire.Deployment {
	w.t.Helper()
	var d wire.Deployment
	w.want(w.call(w.tokens[api.Operator], "POST", "/deployments", wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: number, Reason: "test"}), 201).into(w.t, &d)
	return d
}

// reaches waits until the deployment has the status.
func (w *world) reaches(id, status string) wire.Deployment {
	w.t.Helper()
	var d wire.Deployment
	w.until(fmt.Sprintf("deployment %s to be %s", id, status), func() bool {
		d = wire.Deployment{}
		w.want(w.admin("GET", "/deployments/"+id, nil), 200).into(w.t, &d)
		return d.Status == status
	})
	return d
}

// until waits for something that should happen.
func (w *world) until(what string, happened func() bool) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// instance is one that registers and does what it is told.
type instance struct {
	w         *world
	id, token string
}

func (w *world) register(hostname string) instance {
	w.t.Helper()
	return w.registerOf("payment-service", hostname)
}

func (w *world) registerOf(service, hostname string) instance {
	w.t.Helper()
	var out wire.RegisterResponse
	w.want(w.call(w.tokens[api.Registration], "POST", "/instances", wire.RegisterRequest{
		ServiceName: service, Hostname: hostname, Port: 8080, Environment: "Production", Version: "7.1.0",
	}), 201).into(w.t, &out)
	return instance{w: w, id: out.ID, token: out.Token}
}

// assigned asks what the instance should run, without waiting.
func (i instance) assigned() wire.Assignments {
	i.w.t.Helper()
	var set wire.Assignments
	i.w.want(i.w.call(i.token, "GET", "/instances/"+i.id+"/configs", nil), 200).into(i.w.t, &set)
	return set
}

// apply acknowledges whatever is assigned.
func (i instance) apply() {
	i.w.t.Helper()
	for _, one := range i.assigned().Assignments {
		i.w.want(i.w.call(i.token, "POST", "/instances/"+i.id+"/applied", wire.AppliedRequest{
			ConfigName: one.ConfigName, Version: one.Version, Hash: one.Hash, Generation: one.Generation, OK: true, DurationMs: 12,
		}), 204)
	}
}

// complete deploys a version and lets the instances apply it until it is done.
func (w *world) complete(number string, instances ...instance) wire.Deployment {
	w.t.Helper()
	d := w.deploy(number)
	w.until("deployment of "+number, func() bool {
		for _, i := range instances {
			i.apply()
		}
		w.want(w.admin("GET", "/deployments/"+d.ID, nil), 200).into(w.t, &d)
		return d.Status == "Completed"
	})
	return d
}

func fact(kind, entity, id string) rollout.Fact {
	return rollout.Fact{Type: kind, EntityType: entity, EntityID: id, Actor: "test"}
}
