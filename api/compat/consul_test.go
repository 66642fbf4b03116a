package compat_test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"testing"
)

const payments = `{"timeout":"30s","retries":3,"debug":false,"none":null,"hosts":["a","b"],"empty":[],"db":{"pool":12345678901234567890,"a/b":"x"}}`

func TestConsulKeys(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.put(t, "payments.production", "1.2.0", payments)
	s.put(t, "payments.staging", "1.3.0", `{"timeout":"5s"}`)
	s.put(t, "sluice", "1.0.0", `{"x.production":"mine"}`)
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	answers(t, s.serve(t), map[string]any{
		"/v1/kv/payments.production/timeout?raw":              "30s",
		"/v1/kv/payments.production/retries?raw&stale":        "3",
		"/v1/kv/payments.production/debug?raw&consistent":     "false",
		"/v1/kv/payments.production/none?raw":                 "",
		"/v1/kv/payments.production/hosts/1?raw":              "b",
		"/v1/kv/payments.production/empty?raw":                "[]",
		"/v1/kv/payments.production/db/pool?raw":              "12345678901234567890",
		"/v1/kv/payments.production/db/a%252Fb?raw":           "x",
		"/v1/kv/payments.production/hosts?raw":                404,
		"/v1/kv/payments.production/timeout/?raw":             404,
		"/v1/kv/payments.production":                          404,
		"/v1/kv/payments.nowhere/timeout":                     404,
		"/v1/kv/sluice/payments.staging?raw":                  `{"timeout":"5s"}`,
		"/v1/kv/sluice/x.production?raw":                      404, // the leaves of a profile of that name are not among the documents
		"/v1/kv/":                                             400,
		"/v1/kv/payments.staging/timeout?index=now":           400,
		"/v1/kv/payments.staging/timeout?index=1&wait=a+year": 400,
		"/v1/kv/payments.staging/timeout": `[{"LockIndex":0,"Key":"payments.staging/timeout","Flags":0,"Value":"` + encoded("5s") +
			`","CreateIndex":1,"ModifyIndex":1}]`,
		"/v1/kv/?keys&separator=/":                        `["payments.production/","payments.staging/","sluice/"]`,
		"/v1/kv/payments.production/?keys&separator=/":    `["payments.production/db/","payments.production/debug","payments.production/empty","payments.production/hosts/","payments.production/none","payments.production/retries","payments.production/timeout"]`,
		"/v1/kv/payments.production/db?keys":              `["payments.production/db/a%2Fb","payments.production/db/pool"]`,
		"/v1/kv/payments.s?recurse":                       `[{"LockIndex":0,"Key":"payments.staging/timeout","Flags":0,"Value":"` + encoded("5s") + `","CreateIndex":1,"ModifyIndex":1}]`,
		"/v1/kv/sluice/pay?keys":                          `["sluice/payments.production","sluice/payments.staging"]`,
		"/v1/kv/other?recurse":                            404,
		"/v1/kv/payments.staging/timeout?index=7&wait=1s": http.StatusOK, // an index of another time is answered at once
	})
}

// A query that waits is answered by what it asks for, be it there yet or not, and by nothing else.
func TestConsulWaits(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	s.put(t, "payments.staging", "1.0.0", `{"timeout":"5s"}`)
	base := s.serve(t)
	for _, c := range []struct{ profile, query string }{
		{"payments.staging", "/v1/kv/payments.staging/timeout?raw"}, {"shipping.staging", "/v1/kv/shipping.staging/timeout?raw"}, {"returns.staging", "/v1/kv/ret?recurse"},
	} {
		first := get(t, base+c.query)
		index, err := strconv.ParseInt(first.header.Get("X-Consul-Index"), 10, 64)
		if err != nil || index < 1 {
			t.Fatalf("%s: index %q", c.query, first.header.Get("X-Consul-Index"))
		}
		answered := make(chan reply, 1)
		go func() { answered <- get(t, base+c.query+"&wait=60s&index="+strconv.FormatInt(index, 10)) }()
		s.put(t, "other.staging", "1.0.0", `{}`)
		s.put(t, c.profile, "1.1.0", `{"timeout":"6s"}`)
		got := <-answered
		if next, err := strconv.ParseInt(got.header.Get("X-Consul-Index"), 10, 64); err != nil || next <= index || got.status != http.StatusOK {
			t.Errorf("%s: %d, index %d after %d", c.query, got.status, next, index)
		}
	}
	if got := get(t, base+"/v1/kv/no.such/x?index=1&wait=10ms"); got.status != http.StatusNotFound || got.header.Get("X-Consul-Index") != "1" {
		t.Errorf("waited in vain for what is not there: %d %v", got.status, got.header)
	}
}
