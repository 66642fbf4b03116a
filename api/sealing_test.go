package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

const secretValue = "canary-of-the-environment-4471"

// keeping gives the API a keeper with a key and two variables, one of which the profile may not use.
func keeping(gone *atomic.Bool) func(*api.Options) {
	return func(o *api.Options) {
		key, err := secrets.NewKey("k1")
		if err != nil {
			panic(err)
		}
		keys, err := secrets.ParseKeys(key)
		if err != nil {
			panic(err)
		}
		env := secrets.Env{Prefix: "SLUICE_SECRET_", Lookup: func(string) (string, bool) { return secretValue, !gone.Load() }}
		o.Secrets = secrets.New(secrets.Options{
			Keys: keys, Boxes: o.Store, Providers: map[string]secrets.Provider{"env": env},
			Allow: []secrets.Rule{{Profiles: "payment-*", References: []string{"env:SLUICE_SECRET_PAYMENT"}}},
		})
	}
}

func dataPath(i instance, a wire.Assignment) string {
	return "/instances/" + i.id + "/configs/" + a.ConfigName + "/" + a.Hash + "/data"
}

// Secrets are opened for the instance's own delivery and for nobody else, and the
// audit log tells of each delivery once.
func TestSecretsAreOpenedAtDelivery(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	var keeper api.Secrets
	w := newWorld(t, keeping(&gone), func(o *api.Options) { keeper = o.Secrets })
	w.profile()
	sealed, err := keeper.Seal(t.Context(), name, profile.Data{
		"timeout": "30s", "key": map[string]any{"type": "secret", "value": "canary-sealed-8812"}, "db": map[string]any{"login": map[string]any{"$secret": "env:SLUICE_SECRET_PAYMENT"}},
	})
	w.must(err)
	v := w.version("1.0.0", sealed)
	i, other := w.register("a"), w.register("b")
	w.complete("1.0.0", i, other) // by the hash of what is stored

	a := i.assigned().Assignments[0]
	if len(a.Data) != 0 || a.URL == "" || a.Hash != v.Hash {
		t.Fatalf("assigned %+v, want a URL and no data", a)
	}
	for range 5 {
		got := w.want(w.call(i.token, "GET", dataPath(i, a), nil), 200)
		want := `{"db":{"login":"` + secretValue + `"},"key":"canary-sealed-8812","timeout":"30s"}`
		sum := sha256.Sum256(got.body)
		if string(got.body) != want || got.header.Get(wire.DeliveredHashHeader) != hex.EncodeToString(sum[:]) || got.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("delivered %s with %v", got.body, got.header)
		}
	}
	for who, token := range map[string]string{"another instance": other.token, "an admin": w.tokens[api.Admin], "nobody": ""} {
		if got := w.call(token, "GET", dataPath(i, a), nil); got.status/100 != 4 || strings.Contains(string(got.body), "canary") {
			t.Errorf("%s is answered %d: %s", who, got.status, got.body)
		}
	}

	events, total, err := w.store.Audit(t.Context(), store.AuditFilter{EventType: store.FactOpened, EntityID: i.id})
	w.must(err)
	if total != 1 || events[0].Fact.Details["version"] != "1.0.0" {
		t.Errorf("%d events %+v, want one for the delivery", total, events)
	}
	for _, path := range []string{
		"/configs/" + name, "/configs/" + name + "/versions/1.0.0", "/configs/" + name + "/versions/1.0.0/diff/1.0.0", "/instances", "/audit?limit=200", "//metrics",
	} {
		if got := w.want(w.admin("GET", path, nil), 200); strings.Contains(string(got.body), "canary") {
			t.Errorf("%s shows a secret", path)
		}
	}
}

// What cannot be opened is a conflict, which the instance reports as a version it
// could not apply; what may pass is to be asked for again. Neither says more.
func TestSecretsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	w := newWorld(t, keeping(&gone))
	w.profile()
	w.version("1.0.0", profile.Data{"a": map[string]any{"$secret": "env:SLUICE_SECRET_PAYMENT"}})
	i := w.register("a")
	w.complete("1.0.0", i)
	gone.Store(true)
	a := i.assigned().Assignments[0]
	got := w.want(w.call(i.token, "GET", dataPath(i, a), nil), 409, "CONFLICT")
	if !strings.Contains(string(got.body), "a secret of payment-service.production 1.0.0 cannot be opened: $.a: env: the variable is not set") {
		t.Errorf("answered %s", got.body)
	}
	if _, total, err := w.store.Audit(t.Context(), store.AuditFilter{EventType: store.FactOpened}); err != nil || total != 0 {
		t.Errorf("%d openings are told of that never were: %v", total, err)
	}
	away := newWorld(t, keeping(&gone), func(o *api.Options) {
		o.Secrets = secrets.New(secrets.Options{Boxes: o.Store}) // has no key of the value
	})
	away.profile()
	away.must(away.store.InsertSealed(t.Context(), name, []store.SealedValue{{ID: "sv_1", Profile: name, KeyID: "k9", Fingerprint: []byte("f"), Box: []byte("b")}}))
	away.version("1.0.0", profile.Data{"a": map[string]any{"$sealed": "sv_1"}})
	j := away.register("a")
	away.complete("1.0.0", j)
	got = away.want(away.call(j.token, "GET", dataPath(j, j.assigned().Assignments[0]), nil), 503, "SERVICE_UNAVAILABLE")
	if got.header.Get("Retry-After") == "" {
		t.Error("it is not said when to ask again")
	}
}

// Who uploads is told, field by field, what cannot be taken; and what was taken is
// nowhere in the database as it was given.
func TestSecretsOfUploadsAreChecked(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	w := newWorld(t, keeping(&gone))
	const name = "payment-desk.staging"
	w.want(w.admin("POST", "/configs", wire.CreateConfigRequest{Name: name, Environment: "Staging"}), 201)
	upload := func(data string) answer {
		return w.admin("POST", "/configs/"+name+"/versions", `{"configData": `+data+`}`)
	}
	for data, want := range map[string]string{
		`{"db": {"password": {"type": "secret", "value": "***"}}}`: "configData.db.password",
		`{"key": {"$secret": "env:SLUICE_SECRET_CART"}}`:           "configData.key",
	} {
		if got := w.want(upload(data), 400, "VALIDATION_ERROR"); !strings.Contains(string(got.body), `"field":"`+want+`"`) {
			t.Errorf("%s is answered %s, want the field %s", data, got.body, want)
		}
	}
	first := w.want(upload(`{"key": {"type": "secret", "value": "canary-uploaded-5150"}}`), 201)
	again := w.want(upload(`{"key": {"type": "secret", "value": "canary-uploaded-5150"}}`), 409)
	shown := w.want(w.admin("GET", "/configs/"+name+"/versions/1.0.0", nil), 200)
	v, err := w.store.Version(t.Context(), name, "1.0.0")
	w.must(err)
	for _, text := range []string{string(first.body), string(again.body), string(shown.body), string(profile.Canonical(v.Data))} {
		if strings.Contains(text, "canary") {
			t.Errorf("the secret is in %s", text)
		}
	}
}
