package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/store"
)

func TestLogging(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		present := func() store.Logging {
			l, err := w.Logging(ctx)
			w.must(err)
			return l
		}
		if l := present(); l.InForce(w.clock()) {
			t.Errorf("a new database says %+v", l)
		}
		if err := w.ResetLogging(ctx, "ada"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("resetting nothing gave %v, want ErrNotFound", err)
		}
		_, err := w.SetLogging(ctx, store.Logging{Level: "warn", Actor: "ada"}, time.Hour)
		w.must(err)
		set, err := w.SetLogging(ctx, store.Logging{Components: map[string]string{"engine": "debug"}, Actor: "ben"}, time.Minute)
		w.must(err)
		got := present()
		if got.Level != "" || got.Components["engine"] != "debug" || got.Actor != "ben" || !got.BegunAt.Equal(w.clock()) || !got.ExpiresAt.Equal(set.BegunAt.Add(time.Minute)) {
			t.Errorf("the last word is %+v", got)
		}
		w.advance(time.Minute)
		if present().InForce(w.clock()) {
			t.Error("in force when its time is over")
		}
		if err := w.ResetLogging(ctx, "ada"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("resetting what is over gave %v, want ErrNotFound", err)
		}
		_, err = w.SetLogging(ctx, store.Logging{Level: "debug", Actor: "ada"}, time.Minute)
		w.must(err)
		w.must(w.ResetLogging(ctx, "cleo"))
		if present().InForce(w.clock()) {
			t.Error("in force after the reset")
		}
		changed, reset := w.facts(store.FactLoggingChanged), w.facts(store.FactLoggingReset)
		if len(changed) != 3 || changed[1].Actor != "ben" || len(reset) != 1 || reset[0].Actor != "cleo" || reset[0].Details["set"] != "ada" {
			t.Errorf("the audit log says %+v and %+v", changed, reset)
		}
	})
}
