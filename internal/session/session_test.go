package session_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sluicehq/sluice/internal/session"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	secret = strings.Repeat("0123456789abcdef", 4)
)

func rsaKey(t *testing.T, bits int) (*rsa.PrivateKey, string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return private, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
}

func signer(t *testing.T, keys string) session.Signer {
	t.Helper()
	parsed, err := session.ParseKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	return session.Signer{Keys: parsed, Issuer: "sluice", Audience: "sessions", Now: func() time.Time { return noon }}
}

var ann = session.Claims{Subject: "ann", Role: "Viewer", ID: "i", ExpiresAt: noon.Add(time.Hour)}

func signed(t *testing.T, s session.Signer, c session.Claims) string {
	t.Helper()
	text, err := s.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The first key signs; the others verify what was signed while they were first.
func TestRotation(t *testing.T) {
	t.Parallel()
	_, pemKey := rsaKey(t, 2048)
	before, next := signer(t, secret), signer(t, pemKey+"\n"+secret)
	old := signed(t, before, ann)
	if got, err := next.Verify(old); err != nil || got.Subject != "ann" || got.Role != "Viewer" || got.ID != "i" {
		t.Errorf("an old token is %+v, %v", got, err)
	}
	fresh := signed(t, next, ann)
	if _, err := next.Verify(fresh); err != nil {
		t.Errorf("a new token: %v", err)
	}
	if _, err := before.Verify(fresh); !errors.Is(err, session.ErrRefused) {
		t.Errorf("a key that is not known verifies: %v", err)
	}
	if _, err := signer(t, pemKey).Verify(old); !errors.Is(err, session.ErrRefused) {
		t.Errorf("a key that was taken away verifies: %v", err)
	}
}

// Whatever is wrong with a token, it is refused.
func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	private, pemKey := rsaKey(t, 2048)
	s := signer(t, secret+"\n"+pemKey)
	parse := jwt.NewParser()
	good, rs := signed(t, s, ann), signed(t, signer(t, pemKey), ann)
	header := func(text string) map[string]any {
		token, _, err := parse.ParseUnverified(text, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		return token.Header
	}
	hsID, rsID := header(good)["kid"], header(rs)["kid"]
	base := jwt.MapClaims{"iss": "sluice", "aud": []string{"sessions"}, "sub": "ann", "jti": "i", "roles": []string{"Viewer"},
		"iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
	forged := func(method jwt.SigningMethod, key any, kid any, change map[string]any) string {
		c := maps.Clone(base)
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		token := jwt.NewWithClaims(method, c)
		if token.Header["kid"] = kid; kid == nil {
			delete(token.Header, "kid")
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	hs := func(change map[string]any) string {
		return forged(jwt.SigningMethodHS256, []byte(secret), hsID, change)
	}
	if _, err := s.Verify(hs(nil)); err != nil {
		t.Fatalf("the good one is refused: %v", err)
	}
	public := x509.MarshalPKCS1PublicKey(&private.PublicKey)
	critical := func() string {
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, base)
		token.Header["kid"], token.Header["crit"] = hsID, []string{"b64"}
		text, err := token.SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	parts := strings.Split(good, ".")
	for what, text := range map[string]string{
		"nothing": "", "no JWT": "a.b.c", "no signature": parts[0] + "." + parts[1] + ".", "another's signature": parts[0] + "." + parts[1] + "." + strings.Split(rs, ".")[2],
		"alg none":             forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, hsID, nil),
		"the public key as HS": forged(jwt.SigningMethodHS256, public, rsID, nil), "the public key's PEM as HS": forged(jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), rsID, nil),
		"HS512": forged(jwt.SigningMethodHS512, []byte(secret), hsID, nil), "RS256 with the id of a secret": forged(jwt.SigningMethodRS256, private, hsID, nil),
		"PS256": forged(jwt.SigningMethodPS256, private, rsID, nil), "an empty key": forged(jwt.SigningMethodHS256, []byte{}, hsID, nil),
		"no kid": forged(jwt.SigningMethodHS256, []byte(secret), nil, nil), "a kid that is a path": forged(jwt.SigningMethodHS256, []byte{}, "../../dev/null", nil),
		"a kid that is no text": forged(jwt.SigningMethodHS256, []byte(secret), 7, nil), "an empty kid": forged(jwt.SigningMethodHS256, []byte(secret), "", nil), "crit": critical(),
		"no exp": hs(map[string]any{"exp": nil}), "expired": hs(map[string]any{"exp": noon.Add(-time.Minute).Unix()}), "exp that is text": hs(map[string]any{"exp": "never"}),
		"for a year":  hs(map[string]any{"exp": noon.Add(365 * 24 * time.Hour).Unix()}),
		"nbf to come": hs(map[string]any{"nbf": noon.Add(time.Hour).Unix()}), "no nbf": hs(map[string]any{"nbf": nil}),
		"iat to come": hs(map[string]any{"iat": noon.Add(time.Hour).Unix()}), "no iat": hs(map[string]any{"iat": nil}),
		"another aud": hs(map[string]any{"aud": "other"}), "no aud": hs(map[string]any{"aud": nil}), "two auds": hs(map[string]any{"aud": []string{"sessions", "other"}}),
		"another iss": hs(map[string]any{"iss": "other"}), "no iss": hs(map[string]any{"iss": nil}),
		"no sub": hs(map[string]any{"sub": nil}), "empty sub": hs(map[string]any{"sub": ""}), "no jti": hs(map[string]any{"jti": nil}),
		"two roles": hs(map[string]any{"roles": []string{"Viewer", "Admin"}}), "roles that are text": hs(map[string]any{"roles": "Admin"}),
		"too long":      hs(map[string]any{"x": strings.Repeat("x", session.MaxToken)}),
		"10 MB":         base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 10<<20))) + "." + parts[1] + "." + parts[2],
		"dots no end":   strings.Repeat(".", 1_000_000),
		"five parts":    good + ".a.b",
		"another alg":   base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"x"}`)) + "." + parts[1] + "." + parts[2],
		"loose base 64": parts[0] + "." + parts[1] + "." + parts[2] + "=",
	} {
		if got, err := s.Verify(text); !errors.Is(err, session.ErrRefused) || got.Subject != "" {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	other := s
	other.Audience = "sign-ins"
	if _, err := other.Verify(good); !errors.Is(err, session.ErrRefused) {
		t.Errorf("a token is good for another purpose: %v", err)
	}
	if _, err := (session.Signer{Issuer: "sluice", Audience: "sessions"}).Verify(good); !errors.Is(err, session.ErrRefused) {
		t.Errorf("without keys: %v", err)
	}
	late := s
	late.Now = func() time.Time { return noon.Add(time.Hour + time.Minute) }
	if _, err := late.Verify(good); !errors.Is(err, session.ErrRefused) {
		t.Errorf("a token outlives its time: %v", err)
	}
}

// What is refused costs no memory to speak of.
func TestRefusingCostsNothing(t *testing.T) { // not parallel: it counts the allocations of the process
	s := signer(t, secret)
	for what, text := range map[string]string{"dots": strings.Repeat(".", 1_000_000), "length": strings.Repeat("x", 10<<20) + ".y.z"} {
		if n := testing.AllocsPerRun(10, func() {
			if _, err := s.Verify(text); err == nil {
				t.Error("it is taken")
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	_, weak := rsaKey(t, 1024)
	_, strong := rsaKey(t, 2048)
	for what, text := range map[string]string{
		"none": "", "spaces": " \n ", "short": "0123456789abcdef0123456789abcde", "one letter": strings.Repeat("a", 64), "twice": secret + "\n" + secret,
		"the second is short": secret + "\nshort", "RSA of 1024 bits": weak, "half a PEM": strong[:len(strong)/2],
		"a certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
	} {
		_, err := session.ParseKeys(text)
		if err == nil {
			t.Errorf("%s: taken", what)
		} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "0123456789abcdef0") {
			t.Errorf("%s: the error tells the key: %v", what, err)
		}
	}
	if _, err := session.ParseKeys(session.NewSecret()); err != nil {
		t.Errorf("a made key: %v", err)
	}
}
