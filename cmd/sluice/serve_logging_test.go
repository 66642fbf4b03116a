package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicehq/sluice/store"
)

// What was said last holds while the database is away, and no longer than it
// would have.
func TestLoggingWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, err := db.SetLogging(t.Context(), store.Logging{Level: "debug", Actor: "ada"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l := logging{db: db}
	said := l.look(t.Context(), store.Logging{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kept := l.look(t.Context(), said)
	if kept.Level != "debug" || !kept.InForce(set.BegunAt) || kept.InForce(set.ExpiresAt) {
		t.Errorf("without a database it is %+v", kept)
	}
}
