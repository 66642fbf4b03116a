package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const numbers = "numbers.v1"

// registerSchema registers one more edition.
func (w *world) registerSchema(definition string) profile.SchemaEdition {
	w.t.Helper()
	known, err := w.SchemaEditions(w.t.Context(), numbers)
	w.must(err)
	e, _, err := profile.NewEdition(profile.Draft{ID: numbers, Definition: []byte(definition)}, known)
	w.must(err)
	e, err = w.RegisterSchema(w.t.Context(), e, known, "ada")
	w.must(err)
	return e
}

// usable is the version that the schema's ID means.
func (w *world) usable() string {
	w.t.Helper()
	e, err := w.Schema(w.t.Context(), numbers)
	w.must(err)
	known, err := w.SchemaEditions(w.t.Context(), numbers)
	w.must(err)
	if same, ok := profile.Usable(known); !ok || same.Version != e.Version {
		w.t.Errorf("the store takes %s, the rule %s", e.Version, same.Version)
	}
	return e.Version
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if _, err := w.Schema(ctx, numbers); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("a schema that was not registered gave %v", err)
		}
		first := w.registerSchema(`{"x-sluice-compatibility": "Backward", "properties": {"a": {"type": "integer"}}}`)
		if first.Version != "1.0.0" || first.Status != profile.SchemaDraft || first.CreatedBy != "ada" || w.usable() != "1.0.0" {
			t.Errorf("first %+v", first)
		}
		_, err := w.ApproveSchema(ctx, numbers, "", "ben", "fine", []store.SchemaViolation{{Profile: payments, Version: "1.1.0"}})
		w.must(err)
		w.advance(1)
		again, err := w.ApproveSchema(ctx, numbers, "1.0.0", "cleo", "twice", nil)
		w.must(err)
		if again.ApprovedBy != "ben" || len(w.facts(store.FactSchemaApproved)) != 1 || len(w.facts(store.FactSchemaViolated)) != 1 {
			t.Errorf("approved twice: %+v", again)
		}
		second := w.registerSchema(`{"properties": {"a": {"type": "integer", "maximum": 5}}}`)
		if second.Version != "2.0.0" || second.Status != profile.SchemaPending || second.ComparedWith != "1.0.0" || w.usable() != "1.0.0" {
			t.Errorf("second %+v", second)
		}
		read, err := w.SchemaEdition(ctx, numbers, "")
		w.must(err)
		if len(read.Breaks) != 1 || read.Breaks[0].Path != "$.properties.a.maximum" || read.Hash != second.Hash {
			t.Errorf("read %+v", read)
		}
		if s, err := read.Compile(); err != nil || s.Validate(profile.Data{"a": 6}) == nil {
			t.Errorf("its definition does not work: %v", err)
		}
		if e, err := w.SchemaByHash(ctx, numbers, first.Hash); err != nil || e.Version != "1.0.0" {
			t.Errorf("by hash %+v, %v", e, err)
		}
		_, err = w.DeprecateSchema(ctx, numbers, "1.0.0", "ben", "old")
		w.must(err)
		if w.usable() != "2.0.0" {
			t.Error("a deprecated edition is used while there is another")
		}
		if _, err := w.ApproveSchema(ctx, numbers, "1.0.0", "ben", "", nil); !errors.Is(err, store.ErrSchemaDeprecated) || !errors.Is(err, store.ErrConflict) {
			t.Errorf("a deprecated edition: %v", err)
		}
		_, err = w.DeprecateSchema(ctx, numbers, "1.0.0", "ben", "again")
		w.must(err)
		list, total, err := w.Schemas(ctx, store.SchemaFilter{Status: "Deprecated"})
		w.must(err)
		if total != 1 || list[0].Deprecation != "old" || list[0].Definition != nil || len(w.facts(store.FactSchemaDeprecated)) != 1 {
			t.Errorf("listed %+v", list)
		}
		if _, err := w.ApproveSchema(ctx, numbers, "9.0.0", "ben", "", nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("no such version: %v", err)
		}
		if err := w.raw(`UPDATE config_schemas SET schema_definition = '{}'`); err == nil || !strings.Contains(err.Error(), "never changes") {
			t.Errorf("a definition was changed: %v", err)
		}
	})
}

func TestSchemasAreJudgedByWhatThereIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		e, _, err := profile.NewEdition(profile.Draft{ID: numbers, Definition: []byte(`{}`)}, nil)
		w.must(err)
		w.registerSchema(`{}`)
		if _, err := w.RegisterSchema(t.Context(), e, nil, "ada"); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("another was registered meanwhile: %v", err)
		}
		known, err := w.SchemaEditions(t.Context(), numbers)
		w.must(err)
		e.Version = "1.1.0"
		_, err = w.ApproveSchema(t.Context(), numbers, "", "ben", "", nil)
		w.must(err)
		if _, err := w.RegisterSchema(t.Context(), e, known, "ada"); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("it was approved meanwhile: %v", err)
		}
	})
}

// Nothing starts in Production under a registered schema that nobody approved,
// whoever planned it; what leads back asks no schema.
func TestProductionNeedsAnApprovedSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		e := w.registerSchema(`{}`)
		v := w.version("2.0.0", "1s")
		v.SchemaID, v.SchemaHash = numbers, e.Hash
		w.must(w.InsertVersion(t.Context(), v))
		d := w.deployment("2.0.0")
		err := w.Create(t.Context(), rollout.Decision{Next: d, Changed: true})
		if !errors.Is(err, store.ErrNotApproved) || !errors.Is(err, rollout.ErrStale) {
			t.Fatalf("a Draft: %v", err)
		}
		w.create("1.1.0") // of no registered schema
		_, err = w.ApproveSchema(t.Context(), numbers, "", "ben", "", nil)
		w.must(err)
		w.create("2.0.0")
		_, err = w.DeprecateSchema(t.Context(), numbers, "", "ben", "old")
		w.must(err)
		if err := w.Create(t.Context(), rollout.Decision{Next: w.deployment("2.0.0"), Changed: true}); !errors.Is(err, store.ErrNotApproved) {
			t.Errorf("a Deprecated one: %v", err)
		}
		back := w.deployment("2.0.0")
		back.Kind = rollout.Rollback
		w.must(w.Create(t.Context(), rollout.Decision{Next: back, Changed: true}))
	})
}

func TestSchemaUsers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		r, err := w.Profile(t.Context(), payments)
		w.must(err)
		r.SchemaID = numbers
		w.must(w.PutProfile(t.Context(), r))
		w.putProfile("other.production")
		users, err := w.SchemaUsers(t.Context(), numbers, "", 10)
		w.must(err)
		if len(users) != 1 || users[0].Number != "1.1.0" || users[0].Data["timeout"] != "200ms" {
			t.Errorf("got %+v", users)
		}
		if users, err = w.SchemaUsers(t.Context(), numbers, payments, 10); err != nil || users != nil {
			t.Errorf("after the last: %+v, %v", users, err)
		}
	})
}

// A source looks again for every change, once.
func TestSourcesSeeWhatChanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.must(w.RegisterSource(ctx, store.Source{ID: "configs"}))
		changed := func() string {
			ids, through, err := w.ChangedSchemas(ctx, "configs")
			w.must(err)
			w.must(w.InTx(ctx, func(tx *store.Tx) error { return tx.SeeSchemas(ctx, "configs", through) }))
			return strings.Join(ids, " ")
		}
		steps := []struct {
			what string
			do   func() error
			want string
		}{
			{"nothing is there", func() error { return nil }, ""},
			{"one is registered", func() error { w.registerSchema(`{}`); return nil }, numbers},
			{"nothing more", func() error { return nil }, ""},
			{"it is approved", func() error { _, err := w.ApproveSchema(ctx, numbers, "", "ben", "", nil); return err }, numbers},
			{"it is approved twice", func() error { _, err := w.ApproveSchema(ctx, numbers, "", "ben", "", nil); return err }, ""},
			{"it is deprecated", func() error { _, err := w.DeprecateSchema(ctx, numbers, "", "ben", "old"); return err }, numbers},
		}
		for _, step := range steps {
			w.must(step.do())
			if got := changed(); got != step.want {
				t.Errorf("%s: %q changed, want %q", step.what, got, step.want)
			}
		}
		if _, ok, err := w.RegisteredSchema(ctx, "no-such"); ok || err != nil {
			t.Errorf("no such schema: %v %v", ok, err)
		}
	})
}
