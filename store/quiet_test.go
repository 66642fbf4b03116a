package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// setMany says the same of many profiles, in one transaction.
func (w *world) setMany(from, to int, state rollout.StatusState, text string) {
	w.t.Helper()
	w.must(w.InTx(w.t.Context(), func(tx *store.Tx) error {
		var err error
		for i := from; i < to; i++ {
			err = errors.Join(err, tx.SetStatus(w.t.Context(), rollout.Status{
				Source: "configs", Commit: commit, Context: fmt.Sprintf("sluice/%03d", i), State: state, Description: text,
			}))
		}
		return err
	}))
}

// told are the contexts that the forge took anything of, in order, without the aggregate.
func (f *forge) told() (contexts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.taken {
		if s.Context != rollout.AggregateContext {
			contexts = append(contexts, s.Context)
		}
	}
	slices.Sort(contexts)
	return slices.Compact(contexts)
}

// A commit that changes many profiles is one call to the forge, and one for each that is wrong.
func TestAForgeIsNotToldOfThousands(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{}
		w.outbox(f.post)
		w.setMany(0, 150, rollout.StatusPending, "waits")
		w.posted()
		if n := w.rows(`river_job`); n != 1 {
			t.Errorf("%d jobs for the aggregate alone", n)
		}
		w.set("sluice/007", rollout.StatusFailure, "broken")
		w.setMany(8, 150, rollout.StatusSuccess, "done")
		w.posted()
		if told := f.told(); !slices.Equal(told, []string{"sluice/007"}) {
			t.Errorf("the forge was told of %q", told)
		}
		w.set("sluice/007", rollout.StatusSuccess, "mended")
		w.setMany(0, 7, rollout.StatusSuccess, "done")
		w.posted()
		if got := f.of("sluice/007"); !slices.Equal(got, []string{"broken", "mended"}) {
			t.Errorf("of the one that was wrong it was told %q", got)
		}
		if got := f.of(rollout.AggregateContext); got[0] != "0% of 150 profiles are done" || got[len(got)-1] != "all 150 profiles are done" {
			t.Errorf("the aggregates are %q", got)
		}
		all := w.statuses()
		if c := all["sluice/008"]; !c.Quiet || c.State != rollout.StatusSuccess || c.Posted() {
			t.Errorf("one that it was not told of is %+v", c)
		}
		if c := all["sluice/007"]; c.Quiet || !c.Posted() {
			t.Errorf("the one that it was told of is %+v", c)
		}
	})
}

// Of a commit that has all its profiles refused, the forge is told of none but in the aggregate.
func TestAForgeIsNotToldOfThousandsThatAreWrong(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{}
		w.outbox(f.post)
		w.setMany(0, 60, rollout.StatusFailure, "broken")
		w.setMany(60, 150, rollout.StatusFailure, "broken")
		w.posted()
		if told := f.told(); len(told) != 60 || told[59] != "sluice/059" {
			t.Errorf("the forge was told of %q", told)
		}
		if got := f.of(rollout.AggregateContext); got[len(got)-1] != "150 of 150 profiles: broken" {
			t.Errorf("the aggregates are %q", got)
		}
	})
}

// The commit of a large fleet's rollout has a new text each second, for hours. The forge takes 1,000 of them.
func TestProgressIsToldLessAndLess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{}
		w.outbox(f.post)
		w.set("sluice/a", rollout.StatusPending, "1 of 1000 instances")
		w.posted()
		told := func(posts int) {
			w.must(w.raw(fmt.Sprintf(`UPDATE commit_statuses SET posts = %d WHERE context = 'sluice/a'`, posts)))
		}
		waits := func() {
			w.eventually("one job is left, and waits", func() bool {
				return w.rows(`river_job WHERE state IN ('available', 'running', 'scheduled') AND CAST(args AS TEXT) LIKE '%sluice/a%'`) == 1 &&
					w.rows(`river_job WHERE state IN ('available', 'scheduled') AND CAST(metadata AS TEXT) LIKE '%snooze%'`) >= 1
			})
		}
		told(30)
		for i := range 5 {
			w.set("sluice/a", rollout.StatusPending, fmt.Sprintf("%d of 1000 instances", i+2))
		}
		waits()
		w.advance(899 * time.Millisecond)
		waits()
		w.advance(time.Millisecond)
		w.posted()
		told(900)
		w.set("sluice/a", rollout.StatusPending, "999 of 1000 instances")
		waits()
		w.advance(13 * time.Minute)
		waits()
		w.set("sluice/a", rollout.StatusSuccess, "done") // what it ends in does not wait
		w.posted()
		if got := f.of("sluice/a"); !slices.Equal(got, []string{"1 of 1000 instances", "6 of 1000 instances", "done"}) {
			t.Errorf("the forge was told %q", got)
		}
	})
}

// A forge that was away hears of what is wrong when it is back, whatever it was told before.
func TestAForgeIsBackAfterALargeCommit(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := &forge{}
		w.setMany(0, 120, rollout.StatusPending, "waits")
		w.set("sluice/001", rollout.StatusError, "cancelled")
		w.must(w.raw(`UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP`))
		w.advance(time.Minute)
		w.outboxWith(store.OutboxOptions{Post: f.post, PostTimeout: time.Second})
		w.posted()
		if told := f.told(); !slices.Equal(told, []string{"sluice/001"}) || len(f.of(rollout.AggregateContext)) != 1 {
			t.Errorf("the forge was told of %q, of the aggregate %q", told, f.of(rollout.AggregateContext))
		}
	})
}

// Who is told of the rollbacks behind a commit has them in order, those that are over too.
func TestHoldsBehindACommit(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		records, versions, _ := manyNew(5)
		w.must(w.tx(func(tx *store.Tx) error {
			return errors.Join(tx.PutProfiles(t.Context(), records), tx.InsertVersions(t.Context(), versions))
		}))
		for i := range 4 { // of another commit and profile, too
			name := records[i].Name
			w.must(w.raw(fmt.Sprintf(`INSERT INTO config_holds (config_name, pinned_version, refused_version, refused_hash, reason, actor, created_at, released_at)
				VALUES ('%s', '', '1.0.0', 'h', 'sick', 'gate', %s, %s)`, name, w.either("1", "now()"), map[bool]string{true: w.either("2", "now()"), false: "NULL"}[i == 0])))
		}
		holds, total, err := w.HoldsBehind(t.Context(), "configs", versions[0].Commit, 3)
		w.must(err)
		if total != 4 || len(holds) != 3 || holds[0].Profile != records[0].Name || holds[0].ReleasedAt.IsZero() || holds[2].Profile != records[2].Name {
			t.Errorf("%d holds, the first are %+v", total, holds)
		}
		for _, other := range [][2]string{{"configs", "0ther"}, {"other", versions[0].Commit}, {"configs", ""}} {
			if _, total, err := w.HoldsBehind(t.Context(), other[0], other[1], 3); total != 0 || err != nil {
				t.Errorf("behind %v are %d holds (%v)", other, total, err)
			}
		}
	})
}
