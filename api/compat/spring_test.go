package compat_test

import (
	"net/http"
	"testing"

	"github.com/sluicehq/sluice/api/compat"
)

func TestSpring(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.put(t, "pay-ments.production", "1.2.0", `{"server":{"port":8080,"hosts":["a b",{"name":"c"}]},"on":true,"none":null,"empty":[],"text":"yes","n":"12"}`)
	s.put(t, "application.production", "3.0.0", `{"server":{"port":1,"region":"eu"}}`)
	s.put(t, "alone.staging", "0.1.0", `{"a b":" x\ny"}`)
	payments := `{"name":"sluice:pay-ments.production","source":{"empty":"","n":"12","none":"","on":true,"server.hosts[0]":"a b","server.hosts[1].name":"c","server.port":8080,"text":"yes"}}`
	shared := `{"name":"sluice:application.production","source":{"server.port":1,"server.region":"eu"}}`
	versions := `"version":"pay-ments.production@1.2.0,application.production@3.0.0","state":null,"propertySources":[` + payments + `,` + shared + `]}`
	alone := `{"name":"alone","profiles":["kubernetes","stage"],"label":"release/7","version":"0.1.0","state":null,"propertySources":[{"name":"sluice:alone.staging","source":{"a b":" x\ny"}}]}`
	yaml := "empty: []\n\"n\": \"12\"\nnone: null\n\"on\": true\nserver:\n  hosts:\n    - \"a b\"\n    - name: \"c\"\n  port: 8080\n  region: \"eu\"\ntext: \"yes\""
	answers(t, s.serve(t), map[string]any{
		"/spring/pay-ments/production":                 `{"name":"pay-ments","profiles":["production"],"label":null,` + versions,
		"/spring/pay-ments/staging,prod/main":          `{"name":"pay-ments","profiles":["staging","prod"],"label":"main",` + versions,
		"/spring/alone/kubernetes,stage/release%2F7":   alone,
		"/spring/alone/production":                     `{"name":"alone","profiles":["production"],"label":null,"version":"3.0.0","state":null,"propertySources":[` + shared + `]}`,
		"/spring/alone/default":                        404,
		"/spring/nobody/staging":                       404,
		"/spring/pay-ments-production.json":            `{"empty":[],"n":"12","none":null,"on":true,"server":{"hosts":["a b",{"name":"c"}],"port":8080,"region":"eu"},"text":"yes"}`,
		"/spring/pay-ments-production.yml":             yaml,
		"/spring/main/pay-ments-production.yaml":       yaml,
		"/spring/alone-staging.properties":             `a\ b: \ x\ny`,
		"/spring/main/pay-ments-production.properties": "empty: \nn: 12\nnone: \non: true\nserver.hosts[0]: a b\nserver.hosts[1].name: c\nserver.port: 8080\nserver.region: eu\ntext: yes",
		"/spring/alone-staging.toml":                   404,
		"/spring/staging.yml":                          404,
	})
}

// What a client has already is not sent again.
func TestSpringTags(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.put(t, "alone.staging", "0.1.0", `{"a":1}`)
	base := s.serve(t)
	for _, path := range []string{"/spring/alone/staging", "/spring/alone-staging.yml"} {
		tag := get(t, base+path).header.Get("ETag")
		if got := get(t, base+path, "If-None-Match", `"x", W/`+tag); tag == "" || got.status != http.StatusNotModified || got.body != "" {
			t.Errorf("%s with the tag %s: %d %s", path, tag, got.status, got.body)
		}
		s.put(t, "alone.staging", "0.1.1", `{"a":2}`)
		if got := get(t, base+path, "If-None-Match", tag); got.status != http.StatusOK {
			t.Errorf("%s with the tag of an older version: %d", path, got.status)
		}
	}
}

func TestAppConfig(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.put(t, "shop.production", "2.0.1", `{"checkout":{"enabled":true,"color":"blue"},"gifts":{"enabled":false}}`)
	base := s.serve(t)
	path := "/applications/shop/environments/production/configurations/shop.production"
	answers(t, base, map[string]any{
		path:                               `{"checkout":{"color":"blue","enabled":true},"gifts":{"enabled":false}}`,
		path + "?flag=checkout":            `{"color":"blue","enabled":true}`,
		path + "?flag=gifts&flag=checkout": `{"checkout":{"color":"blue","enabled":true},"gifts":{"enabled":false}}`,
		path + "?flag=nothing":             404,
		"/applications/shop/environments/Prod/configurations/shop.production":    200,
		"/applications/shop/environments/staging/configurations/shop.production": 404,
		"/applications/shop/environments/eu/configurations/shop.production":      404,
		"/applications/other/environments/prod/configurations/shop.production":   404,
		"/applications/shop/environments/prod/configurations/shop.nowhere":       404,
	})
	if got := get(t, base+path); got.header.Get("Configuration-Version") != "2.0.1" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.header)
	}
}

// Each protocol finds the token where its clients put it.
func TestTokens(t *testing.T) {
	t.Parallel()
	basic := func(r *http.Request) { r.SetBasicAuth("anybody", "sli_t") }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	bearer := header("Authorization", "bearer sli_t")
	for name, ways := range map[string][]func(*http.Request){
		"consul":    {header("X-Consul-Token", "sli_t"), bearer, func(r *http.Request) { r.URL.RawQuery = "token=sli_t" }},
		"spring":    {header("X-Config-Token", "sli_t"), bearer, basic},
		"appconfig": {bearer, basic},
	} {
		protocols, err := compat.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, way := range ways {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sluice/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if none := protocols[0].Token(r); none != "" {
				t.Errorf("%s finds the token %q in nothing", name, none)
			}
			if way(r); protocols[0].Token(r) != "sli_t" {
				t.Errorf("%s does not find its token in way %d", name, i)
			}
		}
	}
}
