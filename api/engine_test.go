package api_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// engineEnv chooses the database of the suite: sqlite, which is the default, or
// postgres. make test runs the suite on both.
const engineEnv = "SLUICE_TEST_ENGINE"

// migrated is a database with the schema and nothing in it, to be copied.
const migrated = "sluice_api_migrated"

var makeMigrated sync.Once

// database is an empty one of the test's own, on the engine of this run.
func database(t *testing.T) store.Options {
	t.Helper()
	switch engine := os.Getenv(engineEnv); engine {
	case "", "sqlite":
		return store.Options{URL: testenv.Template(t, "sluice.db", migrateNew)}
	case "postgres":
		return postgres(t)
	default:
		t.Fatalf("%s is %q, want sqlite or postgres", engineEnv, engine)
		return store.Options{}
	}
}

// postgres is an empty database of the test's own on the server that all share.
func postgres(t *testing.T) store.Options {
	t.Helper()
	server := testenv.SharedPostgres(t)
	makeMigrated.Do(func() {
		server.Exec(t, "postgres", "CREATE DATABASE "+migrated)
		if err := migrateNew(server.URL(migrated)); err != nil {
			t.Fatal(err)
		}
	})
	return store.Options{URL: server.CreateDatabase(t, migrated), Connections: 8}
}

// migrateNew gives a new database the schema.
func migrateNew(url string) error {
	s, err := store.Open(context.Background(), store.Options{URL: url})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(context.Background()), s.Close())
}
