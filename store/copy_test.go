package store_test

import (
	"errors"
	"fmt"
	"math"
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
