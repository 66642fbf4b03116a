package bench_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// editions are the next version of each profile, of about 1 KiB.
func (e *estate) editions(n int) []profile.Version {
	versions := make([]profile.Version, len(e.profiles))
	for i, r := range e.profiles {
		v, _ := edition(r, fmt.Sprintf("2.0.%d", n))
		v.Data["text"] = strings.Repeat("a line of configuration\n", 40)
		v.Hash, v.Commit = profile.Hash(v.Data), firstCommit
		v.ValidatedAt, v.CreatedAt = time.Now(), time.Now()
		versions[i] = v
	}
	return versions
}

// imports stores a version of each profile in one transaction.
func (e *estate) imports() func() float64 {
	n := 0
	return func() float64 {
		n += 2
		versions := e.editions(n)
		return milliseconds(func() {
			must(e.s, e.db.InTx(e.s.Context(), func(tx *store.Tx) error { return tx.InsertVersions(e.s.Context(), versions) }))
		})
	}
}

// copies writes as many rows into the same table by COPY.
func (e *estate) copies() func() float64 {
	conn, err := pgx.Connect(e.s.Context(), e.url)
	must(e.s, err)
	e.s.Cleanup(func() { conn.Close(e.s.Context()) }) //nolint:errcheck // the server ends with the test
	n := 1
	return func() float64 {
		n += 2
		versions := e.editions(n)
		rows := make([][]any, len(versions))
		for i, v := range versions {
			data := profile.Canonical(v.Data)
			rows[i] = []any{v.Profile, v.Number, string(data), v.Hash, len(data), v.ValidatedAt, v.Source, v.Commit, v.CreatedAt}
		}
		return milliseconds(func() {
			columns := []string{"config_name", "version", "config_data", "config_hash", "size_bytes", "validated_at", "source_id", "commit_sha", "created_at"}
			_, err := conn.CopyFrom(e.s.Context(), pgx.Identifier{"config_versions"}, columns, pgx.CopyFromRows(rows))
			must(e.s, err)
		})
	}
}

func benchImport(s *scenario) {
	e := s.estateOf(testenv.NewPostgres(s).CreateDatabase(s, ""), s.Profiles, 1)
	ours, floor := s.inTurn(e.imports(), e.copies())
	s.add(bench.Figure{What: fmt.Sprintf("%d versions of 1 KiB stored, a version of each profile", s.Profiles), Unit: "ms", Ours: ours,
		Beside: "COPY of the same rows into the same table", Floor: floor, Goal: 2})
	s.note("The versions' hashes are checked and the profiles' counts kept; COPY does neither. PostgreSQL runs with fsync off.")
}
