package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

func sealed(id, name, key string) store.SealedValue {
	return store.SealedValue{ID: id, Profile: name, KeyID: key, Fingerprint: []byte("mark of " + id), Box: []byte("box of " + id)}
}

// using is a version that names a sealed value.
func using(number, id string) profile.Version {
	data := profile.Data{"password": map[string]any{profile.SealedKey: id}}
	return profile.Version{Profile: payments, Number: number, Data: data, Hash: profile.Hash(data), ValidatedAt: time.Now()}
}

// A version that names another profile's sealed value would have it opened for
// whoever may write that version.
func TestSealedValuesBelongToTheirProfile(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.putProfile("cart.production")
		w.must(w.InsertSealed(ctx, payments, []store.SealedValue{sealed("sv_own", payments, "k1")}))
		w.must(w.InsertSealed(ctx, "cart.production", []store.SealedValue{sealed("sv_other", "cart.production", "k1")}))
		w.must(w.InsertVersion(ctx, using("2.0.0", "sv_own")))
		for _, id := range []string{"sv_other", "sv_nobody"} {
			if err := w.InsertVersion(ctx, using("2.1.0", id)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a version that names %s: %v, want ErrNotFound", id, err)
			}
		}
		if err := w.InsertSealed(ctx, payments, []store.SealedValue{sealed("sv_stray", "cart.production", "k1")}); err == nil {
			t.Error("a value of another profile was sealed")
		}
		found, err := w.SealedValues(ctx, payments, []string{"sv_own", "sv_other"})
		w.must(err)
		if len(found) != 1 || string(found["sv_own"].Box) != "box of sv_own" {
			t.Errorf("found %v, want the profile's own alone", found)
		}
		if none, err := w.SealedValues(ctx, payments, nil); err != nil || len(none) != 0 {
			t.Errorf("of no id: %v, %v", none, err)
		}
		v, ok, err := w.SealedByFingerprint(ctx, payments, []byte("mark of sv_own"))
		w.must(err)
		if !ok || v.ID != "sv_own" {
			t.Errorf("by its fingerprint: %v, %v", v, ok)
		}
		if _, ok, err := w.SealedByFingerprint(ctx, payments, []byte("mark of sv_other")); err != nil || ok {
			t.Errorf("another profile's value was found by its fingerprint: %v", err)
		}
	})
}

// What a version names stays as long as the version; what none names goes a day
// after it was given, and not while its version may still be on the way.
func TestRetentionOfSealedValues(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.must(w.InsertSealed(ctx, payments, []store.SealedValue{sealed("sv_used", payments, "k1"), sealed("sv_unused", payments, "k1")}))
		w.must(w.InsertVersion(ctx, using("2.0.0", "sv_used")))
		kept := func() int {
			t.Helper()
			_, err := w.Retain(ctx, store.DefaultRetention())
			w.must(err)
			found, err := w.SealedValues(ctx, payments, []string{"sv_used", "sv_unused"})
			w.must(err)
			return len(found)
		}
		if n := kept(); n != 2 {
			t.Errorf("%d values kept at once, want both", n)
		}
		w.advance(25 * time.Hour)
		if n := kept(); n != 1 {
			t.Errorf("%d values kept after a day, want the one that is used", n)
		}
	})
}

// A rotation changes what another key sealed, and loses nothing to another
// rotation at the same time.
func TestReseal(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.must(w.InsertSealed(ctx, payments, []store.SealedValue{sealed("sv_a", payments, "old"), sealed("sv_b", payments, "old"), sealed("sv_c", payments, "new")}))
		before, err := w.SealedNotUnder(ctx, "new", "", 10)
		w.must(err)
		if len(before) != 2 || before[0].ID != "sv_a" {
			t.Fatalf("found %v, want the two under the old key by id", before)
		}
		if rest, err := w.SealedNotUnder(ctx, "new", "sv_a", 10); err != nil || len(rest) != 1 {
			t.Errorf("after sv_a: %v, %v", rest, err)
		}
		after := []store.SealedValue{sealed("sv_a", payments, "new"), sealed("sv_b", payments, "new")}
		n, err := w.Reseal(ctx, "ann", before, after)
		w.must(err)
		again, err := w.Reseal(ctx, "bob", before, []store.SealedValue{sealed("sv_a", payments, "third"), sealed("sv_b", payments, "third")})
		w.must(err)
		if n != 2 || again != 0 {
			t.Errorf("replaced %d and then %d, want 2 and 0", n, again)
		}
		under, err := w.SealedUnder(ctx)
		w.must(err)
		if under["new"] != 3 || len(under) != 1 {
			t.Errorf("under %v, want all under the new key", under)
		}
		events, total, err := w.Audit(ctx, store.AuditFilter{EventType: store.FactRotated})
		w.must(err)
		if total != 1 || events[0].Fact.Actor != "ann" {
			t.Errorf("audit: %v", events)
		}
	})
}

// However often an instance asks for a delivery, the audit log tells of it once;
// and of one that it is not assigned, never.
func TestRecordOpening(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.register("i1")
		w.create("1.0.0")
		a := w.assign("i1", "1.0.0")
		o := store.Opening{InstanceID: a.InstanceID, Profile: a.Profile, Version: a.Version, Hash: a.Hash, Generation: a.Generation, Secrets: []string{"$.password vault:secret/a#b"}}
		for range 5 {
			w.must(w.RecordOpening(ctx, o))
		}
		stale := o
		stale.Generation--
		other := o
		other.Hash = "0000"
		for what, o := range map[string]store.Opening{"an older delivery": stale, "other content": other} {
			if err := w.RecordOpening(ctx, o); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", what, err)
			}
		}
		_, total, err := w.Audit(ctx, store.AuditFilter{EventType: store.FactOpened})
		w.must(err)
		if total != 1 {
			t.Errorf("%d audit events, want 1", total)
		}
	})
}
