package compat_test

import (
	"strings"
	"testing"
)

const someFlags = `{
	"timeout": "30s",
	"metadata": {"team": "checkout"},
	"flags": {
		"new-cart": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
			"targeting": {"if": [{"==": [{"var": "country"}, "de"]}, "on"]}},
		"limit": {"state": "ENABLED", "variants": {"low": 10, "high": 99.5}, "defaultVariant": "low", "metadata": {"unit": "eur"}},
		"later": {"state": "ENABLED", "variants": {"on": true}},
		"gone": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
		"broken": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"}
	}}`

func flagShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{}
	s.put(t, "web.production", "1.0.0", someFlags)
	s.put(t, "plain.production", "1.0.0", `{"timeout":"30s"}`)
	return s
}

// What flagd's HTTP sync asks: the definition, and with the ETag of what it has nothing but that.
func TestFlagdReads(t *testing.T) {
	t.Parallel()
	s := flagShelf(t)
	base := s.serve(t)
	got := get(t, base+"/flags/web.production/flagd.json", "Accept", "application/json")
	if got.status != 200 || !strings.HasPrefix(got.body, `{"flags":{"broken":`) || strings.Contains(got.body, "timeout") || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	get(t, base+"/flags/web.production/flagd.json", "If-None-Match", got.header.Get("ETag")).is(t, 304, "")
	get(t, base+"/flags/web.production/flagd.json", "If-None-Match", `"other"`).is(t, 200, got.body)
	s.put(t, "web.production", "1.0.1", strings.ReplaceAll(someFlags, `"de"`, `"it"`))
	if now := get(t, base+"/flags/web.production/flagd.json", "If-None-Match", got.header.Get("ETag")); now.status != 200 || !strings.Contains(now.body, `"it"`) {
		t.Errorf("other flags, the same tag: %d %s", now.status, now.body)
	}
	get(t, base+"/flags/plain.production/flagd.json").is(t, 404, "{\"message\":\"the profile holds no flags: its data has no object `flags`\"}")
	get(t, base+"/flags/nobody/flagd.json").is(t, 404, `{"message":"no such profile"}`)
}

// Request by request, as OFREP's OpenAPI document has them.
func TestOFREPEvaluates(t *testing.T) {
	t.Parallel()
	server := flagShelf(t).serve(t)
	const base = "/flags/web.production/ofrep/v1/evaluate/flags"
	post := func(path, body string, header ...string) reply {
		return send(t, "POST", server+path, body, append(header, "Content-Type", "application/json")...)
	}
	post(base+"/new-cart", `{"context":{"targetingKey":"u1","country":"de"}}`).is(t, 200,
		`{"key":"new-cart","reason":"TARGETING_MATCH","variant":"on","value":true,"metadata":{"team":"checkout"}}`)
	post(base+"/new-cart", `{"context":{"country":"fr"}}`).is(t, 200,
		`{"key":"new-cart","reason":"DEFAULT","variant":"off","value":false,"metadata":{"team":"checkout"}}`)
	post(base+"/limit", "").is(t, 200, `{"key":"limit","reason":"STATIC","variant":"low","value":10,"metadata":{"team":"checkout","unit":"eur"}}`)
	post(base+"/later", "{}").is(t, 200, `{"key":"later","reason":"DEFAULT","metadata":{"team":"checkout"}}`)
	post(base+"/gone", "{}").is(t, 200, `{"key":"gone","reason":"DISABLED","metadata":{"team":"checkout"}}`)
	post(base+"/broken", "{}").is(t, 400, `{"key":"broken","errorCode":"PARSE_ERROR","errorDetails":"flag \"broken\": its default variant \"off\" is none of its variants"}`)
	post(base+"/none", "{}").is(t, 404, `{"key":"none","errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag \"none\" in this profile"}`)
	for _, wrong := range []string{"{", `{"context":[]}`, `{"context":{"targetingKey":1}}`} {
		if got := post(base+"/limit", wrong); got.status != 400 || !strings.Contains(got.body, `"key":"limit","errorCode":"INVALID_CONTEXT"`) {
			t.Errorf("%s: %d %s", wrong, got.status, got.body)
		}
	}
	post("/flags/nobody/ofrep/v1/evaluate/flags/limit", "{}").is(t, 404, `{"key":"limit","errorCode":"FLAG_NOT_FOUND","errorDetails":"no such profile"}`)
	post("/flags/plain.production/ofrep/v1/evaluate/flags", "{}").is(t, 404, "{\"errorCode\":\"GENERAL\",\"errorDetails\":\"the profile holds no flags: its data has no object `flags`\"}")
}

// All flags at once, and nothing where they are as the client has them: the tag is of the answer.
func TestOFREPEvaluatesAll(t *testing.T) {
	t.Parallel()
	s := flagShelf(t)
	server := s.serve(t)
	all := func(context, tag string) reply {
		return send(t, "POST", server+"/flags/web.production/ofrep/v1/evaluate/flags", `{"context":`+context+`}`, "If-None-Match", tag)
	}
	first := all(`{"country":"de"}`, "")
	first.is(t, 200, `{"flags":[{"key":"broken","errorCode":"PARSE_ERROR","errorDetails":"flag \"broken\": its default variant \"off\" is none of its variants"},`+
		`{"key":"later","reason":"DEFAULT","metadata":{"team":"checkout"}},`+
		`{"key":"limit","reason":"STATIC","variant":"low","value":10,"metadata":{"team":"checkout","unit":"eur"}},`+
		`{"key":"new-cart","reason":"TARGETING_MATCH","variant":"on","value":true,"metadata":{"team":"checkout"}}]}`)
	tag := first.header.Get("ETag")
	all(`{"country":"de"}`, tag).is(t, 304, "")
	if got := all(`{"country":"fr"}`, tag); got.status != 200 || !strings.Contains(got.body, `"variant":"off"`) {
		t.Errorf("another context, the same tag: %d %s", got.status, got.body)
	}
	s.put(t, "web.production", "1.0.1", strings.ReplaceAll(someFlags, `"de"`, `"it"`))
	if got := all(`{"country":"de"}`, tag); got.status != 200 {
		t.Errorf("other flags, the same tag: %d %s", got.status, got.body)
	}
}
