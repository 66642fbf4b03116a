package compat_test

import (
	"net/url"
	"strings"
	"testing"
)

// twoServices is a service in two environments, and another in one.
func twoServices(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{}
	s.put(t, "payment-service.production", "1.0.0", `{"timeout":"30s","hosts":["a","b"],"pool":{"max":20,"on":true}}`)
	s.put(t, "payment-service.staging", "2.0.0", `{"timeout":"5s"}`)
	s.put(t, "cart.production", "1.0.0", `{"size":1}`)
	return s
}

// Request by request, as the guide for clients in other languages has them.
func TestApolloReads(t *testing.T) {
	t.Parallel()
	s := twoServices(t)
	base := s.serve(t)
	const values = `{"hosts[0]":"a","hosts[1]":"b","pool.max":"20","pool.on":"true","timeout":"30s"}`
	release := "1.0.0-" + s.configs["payment-service.production"].Hash
	get(t, base+"/configs/payment-service/Production/application").is(t, 200,
		`{"appId":"payment-service","cluster":"Production","namespaceName":"application","configurations":`+values+`,"releaseKey":"`+release+`"}`)
	get(t, base+"/configs/payment-service/production/application?releaseKey="+release+"&ip=10.0.0.1").is(t, 304, "")
	get(t, base+"/configs/payment-service/default/payment-service.production.json").is(t, 200,
		`{"appId":"payment-service","cluster":"default","namespaceName":"payment-service.production.json","configurations":`+
			`{"content":"{\"hosts\":[\"a\",\"b\"],\"pool\":{\"max\":20,\"on\":true},\"timeout\":\"30s\"}"},"releaseKey":"`+release+`"}`)
	get(t, base+"/configfiles/json/payment-service/Production/application?ip=10.0.0.1").is(t, 200, values)
	get(t, base+"/configfiles/payment-service/Production/application.properties").is(t, 200,
		"hosts[0]: a\nhosts[1]: b\npool.max: 20\npool.on: true\ntimeout: 30s")
	get(t, base+"/configfiles/raw/payment-service/default/production.yml").is(t, 200,
		"hosts:\n  - \"a\"\n  - \"b\"\npool:\n  max: 20\n  \"on\": true\ntimeout: \"30s\"")
}

// Which profile a namespace is.
func TestApolloFindsTheProfile(t *testing.T) {
	t.Parallel()
	base := twoServices(t).serve(t)
	for path, want := range map[string]string{
		"payment-service/Staging/application":           `"timeout":"5s"`,
		"payment-service/default/staging":               `"timeout":"5s"`, // payment-service.staging
		"payment-service/default/cart.production":       `"size":"1"`,     // another team's, by its name, as public namespaces are
		"cart/default/application":                      `"size":"1"`,     // the only one
		"cart/SHAJQ/application.properties":             `"size":"1"`,
		"payment-service/default/application":           "ask for one of payment-service.production, payment-service.staging",
		"payment-service/Development/application":       "no such profile",
		"payment-service/default/production.xml":        "no such profile",
		"nobody/default/application":                    "no such profile",
		"cart/Production/payment-service.production.xx": "no such profile",
	} {
		got := get(t, base+"/configs/"+path)
		if !strings.Contains(got.body, want) || (got.status == 200) != strings.Contains(want, `":"`) {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
}

func notices(app, cluster, has string) string {
	return "/notifications/v2?" + url.Values{"appId": {app}, "cluster": {cluster}, "notifications": {has}}.Encode()
}

// A client that has nothing is told at once, one that has all of it when something changes, also of an
// index below the one that it has: it may have read as somebody else before.
func TestApolloNotifies(t *testing.T) {
	t.Parallel()
	s := twoServices(t)
	base := s.serve(t)
	get(t, base+notices("cart", "default", `[{"namespaceName":"application.properties","notificationId":-1},{"namespaceName":"none","notificationId":-1}]`)).is(t, 200,
		`[{"namespaceName":"application","notificationId":1,"messages":{"details":{"cart+default+application":1}}}]`)
	get(t, base+notices("cart", "default", `[{"namespaceName":"application","notificationId":9}]`)).is(t, 200,
		`[{"namespaceName":"application","notificationId":1,"messages":{"details":{"cart+default+application":1}}}]`)

	answered := make(chan reply, 1)
	go func() {
		answered <- get(t, base+notices("cart", "default", `[{"namespaceName":"application","notificationId":1},{"namespaceName":"none","notificationId":-1}]`))
	}()
	s.put(t, "payment-service.staging", "2.0.1", `{"timeout":"6s"}`)
	s.put(t, "cart.production", "1.1.0", `{"size":2}`)
	(<-answered).is(t, 200, `[{"namespaceName":"application","notificationId":2,"messages":{"details":{"cart+default+application":2}}}]`)

	for _, wrong := range []string{"", "[]", "{}", `[{"notificationId":1}]`, "[" + strings.Repeat(`{"namespaceName":"a"},`, 200) + `{"namespaceName":"a"}]`} {
		if got := get(t, base+notices("cart", "default", wrong)); got.status != 400 || !strings.Contains(got.body, "notifications") {
			t.Errorf("%.40q: %d %s", wrong, got.status, got.body)
		}
	}
}
