package snapshot_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

var written = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func newKey(t testing.TB, id string) snapshot.PrivateKey {
	t.Helper()
	k, err := snapshot.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stable is a snapshot of cart.staging whose data is the JSON given.
func stable(t testing.TB, data string) snapshot.Snapshot {
	t.Helper()
	d, err := profile.DecodeData([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.Snapshot{Profile: "cart.staging", Service: "cart", Environment: profile.Staging, Labels: map[string]string{"region": "eu"},
		Version: "1.4.0", Hash: profile.Hash(d), Data: d, WrittenAt: written}
}

func sign(t testing.TB, s snapshot.Snapshot, k snapshot.PrivateKey) []byte {
	t.Helper()
	file, err := snapshot.Sign(s, k)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// rules take snapshots of cart.staging an hour after they were written.
func rules(keys ...snapshot.PrivateKey) snapshot.Rules {
	r := snapshot.Rules{Profile: "cart.staging", Now: written.Add(time.Hour), MaxAge: 24 * time.Hour}
	for _, k := range keys {
		r.Keys = append(r.Keys, k.Public())
	}
	return r
}

func TestWhatIsSignedIsReadBack(t *testing.T) {
	t.Parallel()
	k := newKey(t, "2026-11")
	want := stable(t, `{"greeting":"<servus> & \u2028 \"hello\"","n":1.5,"list":[1,{"a":null}]}`)
	got, err := snapshot.Verify(sign(t, want, k), rules(newKey(t, "other"), k))
	if err != nil {
		t.Fatal(err)
	}
	if got.KeyID != "2026-11" {
		t.Errorf("the key is %q", got.KeyID)
	}
	got.KeyID = ""
	if fmt.Sprint(got) != fmt.Sprint(want) || !bytes.Equal(profile.Canonical(got.Data), profile.Canonical(want.Data)) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	k, stranger := newKey(t, "2026-11"), newKey(t, "2025-01")
	impostor := newKey(t, "2026-11") // another key that says it is the same
	file := sign(t, stable(t, `{"greeting":"hello"}`), k)
	other := stable(t, `{"greeting":"hello"}`)
	other.Profile = "till.staging"
	swapped := rules(k)
	swapped.Profile = "till.staging"
	late, early, anyAge := rules(k), rules(k), rules(k)
	late.Now, early.Now, anyAge.Now, anyAge.MaxAge = written.Add(25*time.Hour), written.Add(-11*time.Minute), written.Add(9000*time.Hour), 0
	for name, c := range map[string]struct {
		file  []byte
		rules snapshot.Rules
		want  error
		says  string
	}{
		"a whole one":                       {file, rules(k), nil, ""},
		"one signed by the old key":         {file, rules(stranger, k), nil, ""},
		"nothing":                           {nil, rules(k), snapshot.ErrForm, ""},
		"the first half":                    {file[:len(file)/2], rules(k), snapshot.ErrForm, ""},
		"something behind it":               {append(bytes.Clone(file), "{}"...), rules(k), snapshot.ErrForm, "more follows"},
		"far too large":                     {bytes.Repeat([]byte(" "), snapshot.MaxSize+1), rules(k), snapshot.ErrForm, "more than 32 MiB"},
		"without a signature":               {edit(t, file, func(e *envelope) { e.Signatures = nil }), rules(k), snapshot.ErrForm, ""},
		"a thousand signatures":             {edit(t, file, func(e *envelope) { e.Signatures = make([]signature, 1000) }), rules(k), snapshot.ErrForm, ""},
		"of another type":                   {edit(t, file, func(e *envelope) { e.PayloadType = "application/json" }), rules(k), snapshot.ErrForm, ""},
		"signed by nobody we know":          {sign(t, stable(t, `{}`), stranger), rules(k), snapshot.ErrKey, "trust it too"},
		"no key is trusted":                 {file, rules(), snapshot.ErrKey, ""},
		"signed by a key with our key's id": {sign(t, stable(t, `{}`), impostor), rules(k), snapshot.ErrSignature, "2026-11"},
		"a changed word":                    {edit(t, file, func(e *envelope) { e.Payload = bytes.Replace(e.Payload, []byte("hello"), []byte("hallo"), 1) }), rules(k), snapshot.ErrSignature, ""},
		"a later time":                      {edit(t, file, func(e *envelope) { e.Payload = bytes.Replace(e.Payload, []byte("2026"), []byte("2027"), 1) }), rules(k), snapshot.ErrSignature, ""},
		"a short signature":                 {edit(t, file, func(e *envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:10] }), rules(k), snapshot.ErrSignature, ""},
		"another profile's file":            {sign(t, other, k), rules(k), snapshot.ErrName, "till.staging"},
		"ours under another's name":         {file, swapped, snapshot.ErrName, ""},
		"an old one":                        {file, late, snapshot.ErrOld, "25h0m0s ago"},
		"an old one where age is nothing":   {file, anyAge, nil, ""},
		"one from the future":               {file, early, snapshot.ErrFuture, "clock"},
	} {
		_, err := snapshot.Verify(c.file, c.rules)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, c.want, c.says)
		}
	}
}

// Whatever byte of a file is another one, it is no snapshot, or the same.
func TestEveryTamperedByteIsRefused(t *testing.T) {
	t.Parallel()
	k := newKey(t, "k1")
	want := stable(t, `{"greeting":"hello"}`)
	file := sign(t, want, k)
	refused := 0
	for i := range file {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			changed := bytes.Clone(file)
			changed[i] ^= flip
			got, err := snapshot.Verify(changed, rules(k))
			if err != nil {
				refused++
				continue
			}
			if got.KeyID = ""; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("byte %d: %v was taken", i, got)
			}
		}
	}
	if refused < len(file) {
		t.Errorf("only %d changes were noticed", refused)
	}
}

// A hash that does not match can only be signed by a daemon that is broken; the
// signature does not make it right.
func TestHashIsCheckedBelowTheSignature(t *testing.T) {
	t.Parallel()
	k := newKey(t, "k1")
	s := stable(t, `{"greeting":"hello"}`)
	s.Hash = strings.Repeat("0", 64)
	if _, err := snapshot.Sign(s, k); !errors.Is(err, snapshot.ErrHash) {
		t.Errorf("signed: %v", err)
	}
}

func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	k := newKey(t, "k1")
	if _, err := snapshot.Sign(stable(t, `{"db":{"password":{"type":"secret","value":"hunter2"}}}`), k); err == nil || !strings.Contains(err.Error(), "$.db.password") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret itself: %v", err)
	}
	for _, data := range []string{`{"a":{"b":{"$secret":"vault:secret/cart#key"}}}`, `{"a":{"b":{"$sealed":"0192"}}}`} {
		s, err := snapshot.Verify(sign(t, stable(t, data), k), rules(k))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.For("cart", profile.Staging, s.Labels); !errors.Is(err, snapshot.ErrSecret) || !strings.Contains(err.Error(), "$.a.b") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	s := stable(t, `{"greeting":"hello"}`)
	eu := map[string]string{"region": "eu", "zone": "a"}
	for _, c := range []struct {
		service     string
		environment profile.Environment
		labels      map[string]string
		want        error
	}{
		{"cart", profile.Staging, eu, nil},
		{"till", profile.Staging, eu, snapshot.ErrTarget},
		{"cart", profile.Production, eu, snapshot.ErrTarget},
		{"cart", profile.Staging, map[string]string{"region": "us"}, snapshot.ErrTarget},
		{"cart", profile.Staging, nil, snapshot.ErrTarget},
	} {
		if err := s.For(c.service, c.environment, c.labels); !errors.Is(err, c.want) {
			t.Errorf("%s %s %v: %v, want %v", c.service, c.environment, c.labels, err, c.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	if name, ok := snapshot.ProfileOf(snapshot.FileName("cart.staging")); !ok || name != "cart.staging" {
		t.Errorf("got %q, %v", name, ok)
	}
	for _, file := range []string{"cart.staging.json", ".tmp-1.snapshot.json", "a/b.snapshot.json", "..snapshot.json", ".snapshot.json", strings.Repeat("a", 241) + ".snapshot.json"} {
		if name, ok := snapshot.ProfileOf(file); ok {
			t.Errorf("%s is taken for that of %s", file, name)
		}
	}
	long := stable(t, `{}`)
	long.Profile = strings.Repeat("a", 241)
	if _, err := snapshot.Sign(long, newKey(t, "k1")); err == nil {
		t.Error("a name that no file can have was signed")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k := newKey(t, "2026-11")
	again, err := snapshot.ParsePrivateKey(k.Reveal() + "\n")
	if err != nil || again.Public().String() != k.Public().String() {
		t.Errorf("read back as %v, %v", again, err)
	}
	seed := strings.Split(k.Reveal(), ":")[2]
	raw, err := base64.StdEncoding.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if text := fmt.Sprintf(verb, k); strings.Contains(text, seed) || strings.Contains(text, fmt.Sprintf("%x", raw)) || strings.Contains(text, fmt.Sprintf("%d", raw[0:4])[1:8]) {
			t.Errorf("%s shows the key: %s", verb, text)
		}
	}
	if text, err := json.Marshal(k); err != nil || strings.Contains(string(text), seed) {
		t.Errorf("JSON shows the key: %s, %v", text, err)
	}
	if _, err := snapshot.ParsePublicKey(k.Reveal()); err == nil || !strings.Contains(err.Error(), "private key") || strings.Contains(err.Error(), seed) {
		t.Errorf("the private key in the public one's place: %v", err)
	}
	if _, err := snapshot.ParsePrivateKey(k.Public().String()); err == nil || !strings.Contains(err.Error(), "public key") {
		t.Errorf("the public key in the private one's place: %v", err)
	}
	for _, text := range []string{"", "x", "snapshot-public:k1:", "snapshot-public:k1:AAAA", "snapshot-public:K1:" + seed, "snapshot-public::" + seed} {
		if _, err := snapshot.ParsePublicKey(text); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
	if _, err := snapshot.NewKey("No Id"); err == nil {
		t.Error("any id will do")
	}
	public := k.Public().String()
	if keys, err := snapshot.ParsePublicKeys([]string{public, public}); err != nil || len(keys) != 1 {
		t.Errorf("the same key twice: %v, %v", keys, err)
	}
	if _, err := snapshot.ParsePublicKeys([]string{public, newKey(t, "2026-11").Public().String()}); err == nil {
		t.Error("two keys of one id are taken")
	}
}

// envelope is a file, for those who tamper with it.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

func edit(t testing.TB, file []byte, change func(*envelope)) []byte {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(file, &e); err != nil {
		t.Fatal(err)
	}
	change(&e)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// FuzzVerify feeds the reader with anything. What it takes is what a key signed; what is
// below the signature is fed to it too, as if the key's owner had gone mad.
func FuzzVerify(f *testing.F) {
	k := newKey(f, "k1")
	want := stable(f, `{"greeting":"hello"}`)
	file := sign(f, want, k)
	f.Add(file)
	f.Add(file[:len(file)-10])
	f.Add([]byte(`{"payloadType":"application/vnd.sluice.snapshot.v1+json","payload":"e30=","signatures":[{"keyid":"k1","sig":"AAAA"}]}`))
	f.Add([]byte(`{"profile":"cart.staging","data":{"a":[1e400]},"writtenAt":"2026"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := snapshot.Verify(raw, rules(k)); err == nil {
			if got.KeyID = ""; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v was taken", got)
			}
		}
		if s, err := snapshot.VerifyPayload(raw, rules(k)); err == nil {
			if s.Profile != "cart.staging" || profile.Hash(s.Data) != s.Hash {
				t.Errorf("%v was taken", s)
			}
			s.For("cart", profile.Staging, nil) //nolint:errcheck // it must not panic
		}
	})
}
