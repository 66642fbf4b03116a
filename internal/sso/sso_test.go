package sso_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sluicehq/sluice/internal/fakeidp"
	"github.com/sluicehq/sluice/internal/sso"
)

func provider(t *testing.T) (*fakeidp.Provider, sso.Options) {
	t.Helper()
	idp := fakeidp.New()
	t.Cleanup(idp.Close)
	idp.Claims = map[string]any{"groups": []string{"everyone", "ops"}, "preferred_username": "ann"}
	return idp, sso.Options{
		Issuer: idp.URL, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: "https://sluice.example.com/login/sso/callback",
		RolesClaim: "groups", Roles: map[string]string{"everyone": "Viewer", "ops": "Operator"},
	}
}

func attempt() sso.Attempt {
	return sso.Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: sso.NewVerifier()}
}

// code lets the provider sign somebody in.
func code(t *testing.T, p *sso.Provider, a sso.Attempt) string {
	t.Helper()
	to, err := p.Start(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || back.Query().Get("state") != a.State {
		t.Fatalf("came back to %s, %v", back, err)
	}
	return back.Query().Get("code")
}

func finish(t *testing.T, opts sso.Options) (sso.Person, error) {
	t.Helper()
	p, a := sso.New(opts), attempt()
	return p.Finish(t.Context(), code(t, p, a), a)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	idp, opts := provider(t)
	got, err := finish(t, opts)
	if err != nil || got != (sso.Person{Issuer: idp.URL, Subject: "subject-1", Name: "ann", Role: "Operator"}) {
		t.Errorf("signed in %+v, %v", got, err)
	}
	// Keys rotate without a restart.
	p := sso.New(opts)
	for _, keep := range []bool{true, false} {
		a := attempt()
		if _, err := p.Finish(t.Context(), code(t, p, a), a); err != nil {
			t.Errorf("with the key of now: %v", err)
		}
		idp.Rotate(keep)
		a = attempt()
		if _, err := p.Finish(t.Context(), code(t, p, a), a); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
	}
}

// Whatever is wrong with what comes back, nobody is signed in.
func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour).Unix()
	for what, change := range map[string]func(idp *fakeidp.Provider){
		"another aud":   func(idp *fakeidp.Provider) { idp.Claims["aud"] = "other" },
		"no aud":        func(idp *fakeidp.Provider) { idp.Claims["aud"] = nil },
		"two auds":      func(idp *fakeidp.Provider) { idp.Claims["aud"] = []string{"sluice", "other"} },
		"another azp":   func(idp *fakeidp.Provider) { idp.Claims["azp"] = "other" },
		"another iss":   func(idp *fakeidp.Provider) { idp.Claims["iss"] = "https://evil.example.com" },
		"another nonce": func(idp *fakeidp.Provider) { idp.Claims["nonce"] = "other" },
		"no nonce":      func(idp *fakeidp.Provider) { idp.Claims["nonce"] = "" },
		"expired":       func(idp *fakeidp.Provider) { idp.Claims["exp"] = past },
		"an empty sub":  func(idp *fakeidp.Provider) { idp.Claims["sub"] = "" },
		"a stranger's key": func(idp *fakeidp.Provider) {
			idp.Sign = func(c jwt.MapClaims, _ *rsa.PrivateKey) string { return fakeidp.RS256(c, stranger) }
		},
		"a stranger's key under a known id": func(idp *fakeidp.Provider) {
			idp.Sign = func(c jwt.MapClaims, key *rsa.PrivateKey) string {
				header, _, err := jwt.NewParser().ParseUnverified(fakeidp.RS256(c, key), jwt.MapClaims{})
				if err != nil {
					panic(err)
				}
				return fakeidp.With(jwt.SigningMethodRS256, c, stranger, header.Header["kid"].(string))
			}
		},
		"alg none": func(idp *fakeidp.Provider) {
			idp.Sign = func(c jwt.MapClaims, _ *rsa.PrivateKey) string {
				return fakeidp.With(jwt.SigningMethodNone, c, jwt.UnsafeAllowNoneSignatureType, "")
			}
		},
		"HS256 with the client's secret": func(idp *fakeidp.Provider) {
			idp.Sign = func(c jwt.MapClaims, _ *rsa.PrivateKey) string {
				return fakeidp.With(jwt.SigningMethodHS256, c, []byte(idp.ClientSecret), "")
			}
		},
		"no token": func(idp *fakeidp.Provider) { idp.Sign = func(jwt.MapClaims, *rsa.PrivateKey) string { return "" } },
		"no JWT":   func(idp *fakeidp.Provider) { idp.Sign = func(jwt.MapClaims, *rsa.PrivateKey) string { return "x.y.z" } },
		"5 MB":     func(idp *fakeidp.Provider) { idp.Claims["x"] = strings.Repeat("x", 5<<20) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			idp, opts := provider(t)
			change(idp)
			got, err := finish(t, opts)
			if !errors.Is(err, sso.ErrRefused) && (what != "5 MB" || !errors.Is(err, sso.ErrAway)) {
				t.Errorf("gave %v", err)
			}
			if got != (sso.Person{}) || strings.Contains(err.Error(), idp.ClientSecret) {
				t.Errorf("gave %+v, %v", got, err)
			}
		})
	}
}

// A code is good for the attempt that it was asked for, and once.
func TestCodes(t *testing.T) {
	t.Parallel()
	_, opts := provider(t)
	p, a := sso.New(opts), attempt()
	got := code(t, p, a)
	stolen := attempt()
	if _, err := p.Finish(t.Context(), got, stolen); !errors.Is(err, sso.ErrRefused) {
		t.Errorf("a stolen code: %v", err)
	}
	got = code(t, p, a)
	if _, err := p.Finish(t.Context(), got, a); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := p.Finish(t.Context(), got, a); !errors.Is(err, sso.ErrRefused) {
		t.Errorf("a second time: %v", err)
	}
	opts.ClientSecret = "wrong-secret"
	if _, err := finish(t, opts); !errors.Is(err, sso.ErrRefused) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func TestProviderThatIsAway(t *testing.T) {
	t.Parallel()
	idp, opts := provider(t)
	idp.Status.Store(http.StatusBadGateway)
	var passed atomic.Int64
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	p := sso.New(opts)
	for range 2 {
		if _, err := p.Start(t.Context(), attempt()); !errors.Is(err, sso.ErrAway) {
			t.Errorf("gave %v", err)
		}
	}
	idp.Status.Store(0)
	passed.Add(int64(5 * time.Second))
	a := attempt()
	back := code(t, p, a)
	idp.Status.Store(http.StatusServiceUnavailable)
	if _, err := p.Finish(t.Context(), back, a); !errors.Is(err, sso.ErrAway) {
		t.Errorf("gave %v", err)
	}
	passed.Add(int64(2 * time.Hour))
	if _, err := p.Start(t.Context(), a); err != nil {
		t.Errorf("what it said before is forgotten: %v", err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		claims map[string]any
		claim  string
		want   string
	}{
		"the most powerful":   {map[string]any{"groups": []any{"ops", "everyone"}}, "groups", "Operator"},
		"one text":            {map[string]any{"groups": "everyone"}, "groups", "Viewer"},
		"inside":              {map[string]any{"realm_access": map[string]any{"roles": []any{"ops"}}}, "realm_access.roles", "Operator"},
		"a name with dots":    {map[string]any{"https://example.com/groups": []any{"ops"}}, "https://example.com/groups", "Operator"},
		"none that is mapped": {map[string]any{"groups": []any{"guests"}}, "groups", ""},
		"no claim":            {map[string]any{}, "groups", ""},
		"another's claim":     {map[string]any{"roles": []any{"ops"}}, "groups", ""},
		"a number":            {map[string]any{"groups": 7}, "groups", ""},
		"numbers":             {map[string]any{"groups": []any{7, nil}}, "groups", ""},
		"an object":           {map[string]any{"groups": map[string]any{"ops": true}}, "groups", ""},
		"an empty text":       {map[string]any{"groups": ""}, "groups", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			idp, opts := provider(t)
			delete(idp.Claims, "groups")
			maps.Copy(idp.Claims, tt.claims)
			opts.RolesClaim = tt.claim
			got, err := finish(t, opts)
			refused, none := errors.AsType[*sso.NoRoleError](err)
			if got.Role != tt.want || none != (tt.want == "") || none && !strings.Contains(refused.Error(), tt.claim) {
				t.Errorf("gave %+v, %v", got, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for want, claims := range map[string]map[string]any{
		"ann@example.com": {"email": "ann@example.com", "email_verified": true, "preferred_username": "ann"},
		"ann":             {"email": "admin@example.com", "preferred_username": "ann"}, // nobody checked the address
		"subject-1":       {"preferred_username": ""},
	} {
		idp, opts := provider(t)
		delete(idp.Claims, "preferred_username")
		maps.Copy(idp.Claims, claims)
		got, err := finish(t, opts)
		if names := got.Names(); err != nil || names[0] != want || len(names) != 2 || !strings.HasPrefix(names[1], want+" (") {
			t.Errorf("called %v, %v, want %s", names, err, want)
		}
	}
	// What cannot be told from another name gets a mark of its own at once.
	for _, name := range []string{"аnn", "ann\n", "ann ", "", "ann\u202e"} {
		if names := (sso.Person{Issuer: "i", Subject: "s", Name: name}).Names(); len(names) != 1 || !strings.HasSuffix(names[0], ")") {
			t.Errorf("%q is called %q", name, names)
		}
	}
	a, b := sso.Person{Issuer: "i", Subject: "s", Name: "ann"}, sso.Person{Issuer: "i", Subject: "t", Name: "ann"}
	if a.Names()[1] == b.Names()[1] {
		t.Errorf("two people are both %q", a.Names()[1])
	}
}
