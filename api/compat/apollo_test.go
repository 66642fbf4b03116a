package compat

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

func payments(t *testing.T) *shelf {
	t.Helper()
	return newShelf(
		configOf(t, "payment-service.production", "payment-service", profile.Production, "1.0.0", 7, `{"timeout":"30s","hosts":["a","b"],"pool":{"max":20,"on":true}}`),
		configOf(t, "payment-service.staging", "payment-service", profile.Staging, "2.0.0", 3, `{"timeout":"5s"}`),
		configOf(t, "cart.production", "cart", profile.Production, "1.0.0", 2, `{"size":1}`),
	)
}

// Request by request, as the guide for clients in other languages has them.
func TestApolloReads(t *testing.T) {
	t.Parallel()
	s := payments(t)
	d := newDoor(t, apollo(), s)
	const values = `{"hosts[0]":"a","hosts[1]":"b","pool.max":"20","pool.on":"true","timeout":"30s"}`
	release := "1.0.0-" + s.configs["payment-service.production"].Hash
	d.get("/configs/payment-service/Production/application").is(t, 200,
		`{"appId":"payment-service","cluster":"Production","namespaceName":"application","configurations":`+values+`,"releaseKey":"`+release+`"}`)
	d.get("/configs/payment-service/production/application?releaseKey="+release+"&ip=10.0.0.1").is(t, 304, "")
	d.get("/configs/payment-service/default/payment-service.production.json").is(t, 200,
		`{"appId":"payment-service","cluster":"default","namespaceName":"payment-service.production.json","configurations":`+
			`{"content":"{\"hosts\":[\"a\",\"b\"],\"pool\":{\"max\":20,\"on\":true},\"timeout\":\"30s\"}"},"releaseKey":"`+release+`"}`)
	d.get("/configfiles/json/payment-service/Production/application?ip=10.0.0.1").is(t, 200, values)
	d.get("/configfiles/payment-service/Production/application.properties").is(t, 200,
		"hosts[0]=a\nhosts[1]=b\npool.max=20\npool.on=true\ntimeout=30s")
	d.get("/configfiles/raw/payment-service/default/production.yml").is(t, 200,
		"\"hosts\":\n  - \"a\"\n  - \"b\"\n\"pool\":\n  \"max\": 20\n  \"on\": true\n\"timeout\": \"30s\"")
}

// Which profile a namespace is.
func TestApolloFindsTheProfile(t *testing.T) {
	t.Parallel()
	d := newDoor(t, apollo(), payments(t))
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
		got := d.get("/configs/" + path)
		if !strings.Contains(got.body, want) || (got.status == 200) != strings.Contains(want, `":"`) {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
}

func notices(app, cluster, has string) string {
	return "/notifications/v2?" + url.Values{"appId": {app}, "cluster": {cluster}, "notifications": {has}}.Encode()
}

// A client that has nothing is told at once, one that has all of it when something changes, also of an
// index below the one that it has.
func TestApolloNotifies(t *testing.T) {
	t.Parallel()
	s := payments(t)
	d := newDoor(t, apollo(), s)
	d.get(notices("cart", "default", `[{"namespaceName":"application.properties","notificationId":-1},{"namespaceName":"none","notificationId":-1}]`)).is(t, 200,
		`[{"namespaceName":"application","notificationId":2,"messages":{"details":{"cart+default+application":2}}}]`)

	<-s.entered
	for _, index := range []int64{9, 4} {
		answers := make(chan reply, 1)
		has, err := json.Marshal([]apolloNotice{{NamespaceName: "application", NotificationID: s.configs["cart.production"].Index}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { answers <- d.get(notices("cart", "default", string(has))) }()
		<-s.entered
		s.put(configOf(t, "cart.production", "cart", profile.Production, "1.1.0", index, `{"size":2}`))
		if got := <-answers; got.status != 200 || !strings.Contains(got.body, `"notificationId":`+string(rune('0'+index))) {
			t.Errorf("after a change to %d: %d %s", index, got.status, got.body)
		}
	}
	for _, wrong := range []string{"", "[]", "{}", `[{"notificationId":1}]`, "[" + strings.Repeat(`{"namespaceName":"a"},`, 200) + `{"namespaceName":"a"}]`} {
		if got := d.get(notices("cart", "default", wrong)); got.status != 400 || !strings.Contains(got.body, "notifications") {
			t.Errorf("%.40q: %d %s", wrong, got.status, got.body)
		}
	}
}
