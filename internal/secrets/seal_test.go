package secrets_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
)

func TestParseKeys(t *testing.T) {
	t.Parallel()
	good, err := secrets.NewKey("a-1")
	if err != nil {
		t.Fatal(err)
	}
	encoded := strings.TrimPrefix(good, "a-1:")
	short := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstu"))
	for text, want := range map[string]string{
		good + "," + good:     "used twice",
		encoded:               "key 1 is not ID:BASE64",
		"A:" + encoded:        "key 1 is not ID:BASE64",
		good + ",":            "key 2 is not ID:BASE64",
		"a:" + encoded + "!!": "key a is not base64",
		"a:" + short:          "key a has 31 bytes, it must have 32",
		"a:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))): "key a is not random",
	} {
		_, err := secrets.ParseKeys(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), encoded) || strings.Contains(err.Error(), short)) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
	k := parse(t, good+", "+mustKey(t, "b"))
	if !slices.Equal(k.IDs(), []string{"a-1", "b"}) || k.Sealing() != "a-1" {
		t.Errorf("ids %v, sealing %s", k.IDs(), k.Sealing())
	}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k.LogValue()); strings.Contains(text, encoded[:12]) || strings.Contains(text, "aead") {
		t.Errorf("printing shows the key: %s", text)
	}
	if none := parse(t, "  "); none.Sealing() != "" {
		t.Error("no text made a key")
	}
}

func mustKey(t testing.TB, id string) string {
	t.Helper()
	one, err := secrets.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	b := newBoxes()
	k := secrets.New(secrets.Options{Keys: keys(t, "k1"), Boxes: b})
	data := profile.Data{
		"password": given("canary-value-1"), "list": []any{given("canary-value-2"), "plain"},
		"again": given("canary-value-1"), "object": given(map[string]any{"user": "ann", "pin": "canary-value-3"}),
	}
	sealed, err := k.Seal(t.Context(), payments, data)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(profile.Canonical(sealed)); strings.Contains(text, "canary") {
		t.Fatalf("what is stored holds a secret: %s", text)
	}
	if !maps.Equal(sealed["password"].(map[string]any), sealed["again"].(map[string]any)) || len(b.values) != 3 {
		t.Errorf("the same value twice is %v and %v, %d boxes", sealed["password"], sealed["again"], len(b.values))
	}
	opened, err := k.Open(t.Context(), payments, sealed)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"again":"canary-value-1","list":["canary-value-2","plain"],"object":{"pin":"canary-value-3","user":"ann"},"password":"canary-value-1"}`
	if got := string(profile.Canonical(opened)); got != want {
		t.Errorf("opened %s, want %s", got, want)
	}
	again, err := k.Seal(t.Context(), payments, data)
	if err != nil {
		t.Fatal(err)
	}
	if profile.Hash(again) != profile.Hash(sealed) {
		t.Error("the same secrets given again are other data: they would be rolled out for nothing")
	}
	other, err := k.Seal(t.Context(), "cart.production", data)
	if err != nil {
		t.Fatal(err)
	}
	if profile.Hash(other) == profile.Hash(sealed) {
		t.Error("two profiles share a sealed value")
	}
}

// A sealed value opens for its own profile and under its own id, and only as it was sealed.
func TestSealedValueThatWasMoved(t *testing.T) {
	t.Parallel()
	b := newBoxes()
	all := mustKey(t, "k1") + "," + mustKey(t, "k0")
	k := secrets.New(secrets.Options{Keys: parse(t, all), Boxes: b})
	sealed, err := k.Seal(t.Context(), payments, profile.Data{"a": given("canary-a"), "b": given("canary-b")})
	if err != nil {
		t.Fatal(err)
	}
	idA, idB := profile.Secrets(sealed)[0].ID, profile.Secrets(sealed)[1].ID
	want := func(what, reason string, k *secrets.Keeper, name string) {
		t.Helper()
		_, err := k.Open(t.Context(), name, profile.Data{"a": map[string]any{profile.SealedKey: idA}})
		e := refused(t, err)
		if e.Path != "$.a" || e.Away != strings.Contains(reason, "master_key") || !strings.Contains(e.Reason, reason) || strings.Contains(e.Error(), "canary") {
			t.Errorf("%s: %v, want %q", what, e, reason)
		}
	}
	want("another profile's reference", "not this profile's", k, "cart.production")
	whole := b.values[idA]

	moved := whole
	moved.Profile = "cart.production"
	b.values[idA] = moved
	want("a row moved to another profile", "does not open", k, "cart.production")

	swapped := b.values[idB]
	swapped.ID = idA
	b.values[idA] = swapped
	want("a box moved to another id", "does not open", k, payments)

	for i := range whole.Box {
		changed := whole
		changed.Box = slices.Clone(whole.Box)
		changed.Box[i] ^= 1
		b.values[idA] = changed
		want(fmt.Sprintf("byte %d changed", i), "does not open", k, payments)
	}
	for n := range whole.Box {
		changed := whole
		changed.Box = whole.Box[:n]
		b.values[idA] = changed
		want(fmt.Sprintf("cut to %d bytes", n), "", k, payments)
	}
	b.values[idA] = whole
	want("a key that is gone", "master_key does not have: k1", secrets.New(secrets.Options{Keys: keys(t, "k2"), Boxes: b}), payments)
	want("another key of that id", "does not open", secrets.New(secrets.Options{Keys: keys(t, "k1"), Boxes: b}), payments)
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	opts := secrets.Options{Keys: keys(t, "k1"), Boxes: newBoxes(), Providers: map[string]secrets.Provider{"env": secrets.Env{Prefix: "SLUICE_SECRET_"}},
		Allow: []secrets.Rule{{Profiles: "payment-*", References: []string{"env:SLUICE_SECRET_PAY_*"}}}}
	k := secrets.New(opts)
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"masked":                {given("***"), "stands for one in answers"},
		"empty":                 {given(""), "is empty"},
		"null":                  {given(nil), "is null"},
		"large":                 {given(strings.Repeat("x", 65<<10)), "at most 65536 are kept"},
		"sealed by somebody":    {map[string]any{profile.SealedKey: "sv_of_another"}, "does not have"},
		"encrypted":             {profile.Sops{Cipher: "ENC[x]", At: "data:a"}.Value(), "come from Git"},
		"no such provider":      {ref("vault:secret/a#b"), "no provider vault is configured"},
		"another variable":      {ref("env:SLUICE_MASTER_KEY"), "only variables that begin with SLUICE_SECRET_"},
		"a reference of others": {ref("env:SLUICE_SECRET_CART"), "no rule of secrets.allow lets payment-service.production"},
	} {
		_, err := k.Seal(t.Context(), payments, profile.Data{"db": map[string]any{"password": c.value}})
		if e := refused(t, err); e.Path != "$.db.password" || !strings.Contains(e.Reason, c.want) {
			t.Errorf("%s: %v, want %q", name, e, c.want)
		}
	}
	if data, err := k.Seal(t.Context(), payments, profile.Data{"a": ref("env:SLUICE_SECRET_PAY_KEY")}); err != nil || profile.SecretRefs(data)[0] != "env:SLUICE_SECRET_PAY_KEY" {
		t.Errorf("an allowed reference: %v, %v", data, err)
	}
	opts.Keys = secrets.Keys{}
	_, err := secrets.New(opts).Seal(t.Context(), payments, profile.Data{"a": given("canary")})
	if e := refused(t, err); !strings.Contains(e.Reason, "set master_key") {
		t.Errorf("without a key: %v", e)
	}
}

// After a rotation the first key seals, older ones still open, and a value that
// is given again keeps its id.
func TestSealUnderNewKey(t *testing.T) {
	t.Parallel()
	b := newBoxes()
	old, fresh := mustKey(t, "old"), mustKey(t, "new")
	data := profile.Data{"a": given("canary-a")}
	sealed, err := secrets.New(secrets.Options{Keys: parse(t, old), Boxes: b}).Seal(t.Context(), payments, data)
	if err != nil {
		t.Fatal(err)
	}
	both := secrets.New(secrets.Options{Keys: parse(t, fresh+","+old), Boxes: b})
	again, err := both.Seal(t.Context(), payments, data)
	if err != nil || profile.Hash(again) != profile.Hash(sealed) {
		t.Errorf("given again: %v, %v, want %v", again, err, sealed)
	}
	if opened, err := both.Open(t.Context(), payments, sealed); err != nil || opened["a"] != "canary-a" {
		t.Errorf("opened %v: %v", opened, err)
	}
	next, err := both.Seal(t.Context(), payments, profile.Data{"a": given("canary-b")})
	if err != nil {
		t.Fatal(err)
	}
	if v := b.values[profile.Secrets(next)[0].ID]; v.KeyID != "new" {
		t.Errorf("sealed under %s, want new", v.KeyID)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(mustKey(f, "a"))
	f.Add("a:b,c:d")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := secrets.ParseKeys(text); err == nil && strings.TrimSpace(text) != "" && k.Sealing() == "" {
			t.Errorf("%q is no key and no error", text)
		}
	})
}
