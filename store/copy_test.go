package store_test

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// What is wrong with one of many rows is told as it is with one row, wherever it is
// found, and leaves the connection as it was.
func TestOneBadRowOfManyIsExplained(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		records, versions, decisions := manyNew(80)
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(ctx, records), tx.InsertVersions(ctx, versions[:79]))
		}))
		unknown := decisions[79]
		for what, wrong := range map[string]func(dec *rollout.Decision){
			"of a version that there is not": func(dec *rollout.Decision) { *dec = unknown },
			"of other content":               func(dec *rollout.Decision) { dec.Next.Hash = "0" },
			"of no kind":                     func(dec *rollout.Decision) { dec.Next.Kind = "Sideways" },
		} {
			some := append([]rollout.Decision{}, decisions[:79]...)
			wrong(&some[77])
			if err := w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, some) }); !errors.Is(err, store.ErrConflict) {
				t.Errorf("a deployment %s gave %v", what, err)
			}
		}
		twice := append([]rollout.Decision{}, decisions[:79]...)
		twice[77].Next.ID = twice[3].Next.ID
		if err := w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, twice) }); !errors.Is(err, store.ErrExists) {
			t.Errorf("an ID that is taken gave %v", err)
		}
		for i := range versions {
			versions[i].Number = "2.0.0"
		}
		versions[77].Profile = "nobody.staging"
		if err := w.tx(func(tx *store.Tx) error { return tx.InsertVersions(ctx, versions) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a version of no profile gave %v", err)
		}
		unsaid := append([]rollout.Decision{}, decisions[:79]...)
		unsaid[77].Next.Worst.P99 = math.NaN()
		if err := w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, unsaid) }); err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("what JSON has no word for gave %v", err)
		}
		if n := w.rows("config_deployments"); n != 0 {
			t.Errorf("%d deployments are stored", n)
		}
		w.must(w.tx(func(tx *store.Tx) error { return tx.CreateDeployments(ctx, decisions[:79]) }))
	})
}

// text reads one text past the store.
func (w *world) text(query string, args ...any) (text string) {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	w.must(db.QueryRowContext(w.t.Context(), query, args...).Scan(&text))
	return text
}

// A profile that has a version has what the version is of, so that a deployment or an
// assignment, which needs a version, needs nothing else.
func TestAProfileWithVersionsStays(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.register("i-1")
		w.create("1.1.0")
		w.assign("i-1", "1.1.0")
		if err := w.raw(w.either(`PRAGMA foreign_keys = 1; `, ``) + `DELETE FROM config_profiles WHERE name = '` + payments + `'`); err == nil {
			t.Error("the profile of a deployment was removed")
		}
	})
}

// A new deployment is most of it zero, which is not stored: what is costs at each step.
func TestWhatIsZeroOfADeploymentIsNotStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		d := w.create("1.1.0")
		body := w.text(`SELECT CAST(body AS TEXT) FROM config_deployments WHERE deployment_id = $1`, d.ID)
		for _, zero := range []string{`"0001-01-01T00:00:00Z"`, `":""`, `":null,"Verdict"`, `"Baseline"`} {
			if strings.Contains(body, zero) {
				t.Errorf("the body has %s: %s", zero, body)
			}
		}
		if read := w.read(d.ID); fmt.Sprint(read.StartedAt, read.Ill, read.Exposures) != fmt.Sprint(d.StartedAt, d.Ill, d.Exposures) {
			t.Errorf("it is read as %+v", read)
		}
	})
}

// Jobs are not looked up by what their arguments hold, and are not put into indexes by it.
func TestTheOutboxHasNoIndexesThatNobodyAsks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		if w.sqlite() {
			return
		}
		if n := w.text(`SELECT CAST(count(*) AS TEXT) FROM pg_indexes WHERE tablename = 'river_job' AND indexdef LIKE '%USING gin%'`); n != "0" {
			t.Errorf("%s are there", n)
		}
		w.must(w.Migrate(t.Context())) // of which another replica was before
	})
}

// More rows than one statement takes are as many, and text that PostgreSQL does not take
// is cleaned of what it cannot hold, however it goes in.
func TestMoreRowsThanAStatementTakes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		const n, facts = 1003, 5003
		const foul = "a\x00b\xffc"
		ctx := t.Context()
		profiles, kept := w.rows("config_profiles"), w.rows("config_versions")
		records, versions, _ := manyNew(n)
		records[n-1].Description, versions[n-1].Message = foul, foul
		for i := range 100 {
			versions[i].Message = strings.Repeat("a long story ", 10_000)
		}
		for range 2 { // to add them, and to change them
			w.must(w.tx(func(tx *store.Tx) error { return tx.PutProfiles(ctx, records) }))
		}
		w.must(w.tx(func(tx *store.Tx) error {
			for i := range facts {
				w.must(tx.Record(ctx, rollout.Fact{Type: "test.happened", EntityID: foul, Actor: fmt.Sprint(i)}))
			}
			return tx.InsertVersions(ctx, versions)
		}))
		if profiles, kept := w.rows("config_profiles")-profiles, w.rows("config_versions")-kept; profiles != n || kept != n {
			t.Errorf("%d profiles with %d versions are stored, of %d", profiles, kept, n)
		}
		if seen, broken, err := w.VerifyAudit(ctx); err != nil || broken != nil || seen < facts {
			t.Errorf("the audit log holds %d of %d: %v, %v", seen, facts, broken, err)
		}
		r, err := w.Profile(ctx, records[n-1].Name)
		w.must(err)
		v, err := w.Version(ctx, records[n-1].Name, "1.0.0")
		w.must(err)
		if want := w.either(foul, "ab\uFFFDc"); r.Description != want || v.Message != want {
			t.Errorf("the texts are %q and %q, want %q", r.Description, v.Message, want)
		}
	})
}

// What was just filled has no statistics, and is looked up by its keys all the same.
func TestFreshTablesAreNotReadWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		if w.sqlite() {
			return // TestHotStatementsUseIndexes
		}
		records, versions, decisions := manyNew(600)
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(t.Context(), records), tx.InsertVersions(t.Context(), versions), tx.CreateDeployments(t.Context(), decisions))
		}))
		index := map[string]string{
			"statuses": "context = ", "unapproved": "config_name = ", "pending": "context = ", "active deployment": "config_name = ",
		}
		for name, statement := range store.OfManyRows() {
			plan := w.explained(statement)
			if strings.Contains(plan, "Seq Scan on config_versions") || strings.Contains(plan, "Seq Scan on commit_statuses") ||
				strings.Contains(plan, "Seq Scan on config_deployments") || !regexp.MustCompile(`Index Cond: .*`+index[name]).MatchString(plan) {
				t.Errorf("%s: %s", name, plan)
			}
		}
	})
}

// explained is PostgreSQL's plan for a statement whose arguments it does not know.
func (w *world) explained(statement string) string {
	w.t.Helper()
	db := w.connect()
	defer func() { w.must(db.Close()) }()
	db.SetMaxOpenConns(1)
	ctx := w.t.Context()
	for _, setting := range []string{`SET plan_cache_mode = force_generic_plan`, `PREPARE asked AS ` + statement} {
		if _, err := db.ExecContext(ctx, setting); err != nil {
			w.t.Fatal(err)
		}
	}
	arguments := make([]string, len(regexp.MustCompile(`\$\d`).FindAllString(statement, -1)))
	for i := range arguments {
		arguments[i] = "NULL"
	}
	rows, err := db.QueryContext(ctx, `EXPLAIN EXECUTE asked (`+strings.Join(arguments, ", ")+`)`)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		w.must(rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	w.must(rows.Err())
	return plan.String()
}
