package compat

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// The first is the example of Apollo's own tests.
func TestApolloSignature(t *testing.T) {
	t.Parallel()
	if got := apolloSignature("df23df3f59884980844ff3dada30fa97", "1576478257344", "/configs/100004458/default/application?ip=10.0.0.1"); got != "EoKyziXvKqzHgwx+ijDJwgVTDgE=" {
		t.Errorf("signed %s", got)
	}
}

func TestAcceptAccessKeys(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_576_478_257_344)
	protocols := []*Protocol{consul(), apollo()}
	AcceptAccessKeys(protocols, []string{"one", "two"}, func() time.Time { return now })
	const path = "/configs/cart/default/application?releaseKey=a%2Bb&ip=10.0.0.1"
	for name, c := range map[string]struct {
		key, path, scheme string
		late              time.Duration
		want              string
	}{
		"the second key":      {"two", path, "Apollo cart:", 0, "two"},
		"a minute late":       {"one", path, "Apollo cart:", time.Minute, "one"},
		"too late":            {"one", path, "Apollo cart:", 61 * time.Second, ""},
		"of the future":       {"one", path, "Apollo cart:", -61 * time.Second, ""},
		"another key":         {"three", path, "Apollo cart:", 0, ""},
		"for another path":    {"one", path + "x", "Apollo cart:", 0, ""},
		"of no app":           {"one", path, "Apollo ", 0, ""},
		"of another protocol": {"one", path, "Bearer cart:", 0, "cart:" + apolloSignature("one", strconv.FormatInt(now.UnixMilli(), 10), path)},
	} {
		timestamp := strconv.FormatInt(now.Add(-c.late).UnixMilli(), 10)
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Header.Set("Timestamp", timestamp)
		r.Header.Set("Authorization", c.scheme+apolloSignature(c.key, timestamp, c.path))
		if got := protocols[1].Token(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := protocols[0].Token(r); got != "" && c.scheme != "Bearer cart:" {
			t.Errorf("%s: Consul takes it for %q", name, got)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	r.SetBasicAuth("x", "mine")
	if got := protocols[1].Token(r); got != "mine" {
		t.Errorf("a token that does not sign is %q", got)
	}
}
