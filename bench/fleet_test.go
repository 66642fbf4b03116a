package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// databaseEnv and membersEnv tell a sluiceServer where its database is, and who its instances are.
const (
	databaseEnv = "SLUICE_BENCH_DATABASE"
	membersEnv  = "SLUICE_BENCH_MEMBERS"
)

const shop = "shop.production"

// member is a registered instance.
type member struct{ ID, Token string }

// settle makes a database in which a fleet of the shop is registered, and gives its place and the
// fleet, also as a file.
func settle(t testing.TB, database string, n int) (members []member, file string) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{URL: database})
	if err == nil {
		err = db.Migrate(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PutProfile(ctx, profile.Record{
		Name: shop, Service: "shop", Environment: profile.Production, Strategy: profile.DefaultStrategy(profile.Direct),
		Health: profile.DefaultHealth(profile.Production), Origin: profile.OriginGit, Source: "configs", Path: "shop.yaml", CreatedBy: "bench",
	}); err != nil {
		t.Fatal(err)
	}
	members = make([]member, n)
	var group sync.WaitGroup
	turn := make(chan int)
	for range 8 {
		group.Go(func() {
			for i := range turn {
				members[i] = member{uuid.Must(uuid.NewV7()).String(), api.NewToken(api.InstanceToken)}
				if err := db.RegisterInstance(ctx, fleet.Instance{ID: members[i].ID, Service: "shop", Hostname: fmt.Sprintf("shop-%05d", i), Environment: profile.Production},
					api.HashToken(members[i].Token)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		turn <- i
	}
	close(turn)
	group.Wait()
	return members, writeMembers(t, members)
}

// writeMembers names the members to other processes.
func writeMembers(t testing.TB, members []member) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "members.json")
	text, err := json.Marshal(members)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	must(t, err)
	return file
}

func readMembers() (members []member, err error) {
	text, err := os.ReadFile(os.Getenv(membersEnv))
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	return members, err
}

// sluiceServer is the API over a real database. What it tells is a new version, assigned to the whole
// fleet in one transaction, as the last step of a Direct deployment does.
func sluiceServer(ctx context.Context) (serving, error) {
	db, err := store.Open(ctx, store.Options{URL: os.Getenv(databaseEnv)})
	if err != nil {
		return serving{}, err
	}
	members, err := readMembers()
	if err != nil {
		return serving{}, err
	}
	memory := coord.NewMemory()
	beats := store.NewHeartbeatWriter(db, 0)
	door, err := api.New(api.Options{
		Store: db, Engine: rollout.NewEngine(db, memory, rollout.EngineOptions{Owner: "bench"}), Bus: memory, Heartbeats: beats, LimitFactor: -1,
	})
	if err != nil {
		return serving{}, err
	}
	go beats.Run(ctx) //nolint:errcheck // it ends with the process
	n := 0
	tell := func(ctx context.Context, data []byte) (int64, error) {
		n++
		if err := assignAll(ctx, db, members, n, string(data)); err != nil {
			return 0, err
		}
		committed := time.Now().UnixNano()
		memory.Publish(ctx, api.ProfileTopic(shop))
		memory.Publish(ctx, api.AnyProfileTopic)
		return committed, nil
	}
	return serving{door.Handler(), map[string]command{"tell": tell}}, nil
}

func assignAll(ctx context.Context, db *store.Store, members []member, n int, text string) error {
	data := profile.Data{"text": text, "n": n}
	v := profile.Version{Profile: shop, Number: fmt.Sprintf("1.0.%d", n), Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}
	if err := db.InsertVersion(ctx, v); err != nil {
		return err
	}
	assigns := make([]rollout.Assign, len(members))
	for i, m := range members {
		assigns[i] = rollout.Assign{InstanceID: m.ID, Version: v.Number, Hash: v.Hash}
	}
	return db.Create(ctx, rollout.Decision{
		Next: rollout.Deployment{
			ID: uuid.NewString(), Profile: shop, Kind: rollout.Forward, Version: v.Number, Hash: v.Hash, State: rollout.Pending,
			Selector: fleet.Selector{Service: "shop", Environment: profile.Production}, Strategy: profile.DefaultStrategy(profile.Direct),
			Health: profile.DefaultHealth(profile.Production), CreatedAt: time.Now(),
		},
		Changed: true, Assign: assigns,
	})
}
