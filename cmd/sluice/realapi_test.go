package main

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// realAPI is the API itself over a database of its own, without sources.
type realAPI struct {
	*httptest.Server
	tokens map[api.Role]string
	client *client.Client // an Admin's
}

// bus is how the engine and the API hear of each other, in one process.
type bus struct{ coord.Bus }

func (b bus) Publish(ctx context.Context, profile string) {
	b.Bus.Publish(ctx, api.ProfileTopic(profile))
	b.Bus.Publish(ctx, api.AnyProfileTopic)
}

func newRealAPI(t *testing.T) *realAPI {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	db, err := store.Open(ctx, store.Options{URL: filepath.Join(t.TempDir(), "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	memory := coord.NewMemory()
	engine := rollout.NewEngine(db, bus{memory}, rollout.EngineOptions{Owner: uuid.NewString(), MaxIdle: 50 * time.Millisecond})
	beats := store.NewHeartbeatWriter(db, time.Millisecond)
	served, err := api.New(api.Options{
		Store: db, Engine: engine, Bus: memory, Heartbeats: beats, LimitFactor: -1,
		SyncSource: func(string) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &realAPI{Server: httptest.NewServer(served.Handler()), tokens: map[api.Role]string{}}
	done := make(chan error, 2)
	go func() { done <- engine.Run(ctx) }()
	go func() { done <- beats.Run(ctx) }()
	t.Cleanup(func() {
		served.Drain()
		a.CloseClientConnections()
		a.Close()
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, role := range []api.Role{api.Viewer, api.Operator, api.Admin} {
		token := api.NewToken(api.UserToken)
		if err := db.CreateToken(ctx, store.Token{
			ID: uuid.NewString(), Name: string(role), Kind: store.TokenAPI, Role: string(role), Hash: api.HashToken(token), CreatedBy: "test",
		}); err != nil {
			t.Fatal(err)
		}
		a.tokens[role] = token
	}
	if a.client, err = client.New(client.Options{Server: a.URL, Token: a.tokens[api.Admin]}); err != nil {
		t.Fatal(err)
	}
	return a
}

// console is a shell whose commands go to the API as a role.
func (a *realAPI) console(t *testing.T, role api.Role) *console {
	t.Helper()
	c := newConsole(t, nil)
	c.now = time.Now
	c.env["SLUICE_SERVER"], c.env["SLUICE_TOKEN"] = a.URL, a.tokens[role]
	return c
}

// deployed makes a profile of the API's own with two versions, the second of
// which runs on one instance; it returns the instance's id.
func (a *realAPI) deployed(t *testing.T, name string) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.client.CreateConfig(t.Context(), wire.CreateConfigRequest{Name: name, ServiceName: "shop", Environment: "Development", DefaultStrategy: []byte(`"Direct"`)})
	must(err)
	instance, err := a.client.Register(t.Context(), wire.RegisterRequest{ServiceName: "shop", Hostname: "shop-01", Port: 8080, Environment: "Development"})
	must(err)
	own := a.client.WithToken(instance.Token)
	for _, version := range []string{"1.0.0", "1.1.0"} {
		data := []byte(`{"retries": 3}`)
		if version == "1.1.0" {
			data = []byte(`{"retries": 5}`)
		}
		_, err = a.client.UploadVersion(t.Context(), name, wire.UploadRequest{Version: version, ConfigData: data})
		must(err)
		d, err := a.client.CreateDeployment(t.Context(), wire.CreateDeploymentRequest{ConfigName: name, ConfigVersion: version})
		must(err)
		acknowledge(t, own, instance.ID, version)
		for state, err := range a.client.DeploymentEvents(t.Context(), d.ID) {
			must(err)
			if client.Final(state.Status) {
				break
			}
		}
	}
	return instance.ID
}

// acknowledge applies a version once the instance is assigned it.
func acknowledge(t *testing.T, own *client.Client, id, version string) {
	t.Helper()
	for all, err := range own.WatchAssignments(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all.Assignments {
			if one.Version != version {
				continue
			}
			if err := own.Applied(t.Context(), id, wire.AppliedRequest{
				ConfigName: one.ConfigName, Version: one.Version, Hash: one.Hash, Generation: one.Generation, OK: true,
			}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}
