package compat_test

import (
	"crypto/md5"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

func nacosPath(dataID, group, tenant string) string {
	return "/nacos/v1/cs/configs?" + url.Values{"dataId": {dataID}, "group": {group}, "tenant": {tenant}}.Encode()
}

// Request by request, as Nacos' open API has them.
func TestNacosReads(t *testing.T) {
	t.Parallel()
	base := twoServices(t).serve(t)
	for _, c := range []struct{ dataID, group, tenant, want string }{
		{"payment-service.staging", "DEFAULT_GROUP", "", `{"timeout":"5s"}`},
		{"payment-service.staging.yaml", "DEFAULT_GROUP", "", `timeout: "5s"`},
		{"payment-service.staging.properties", "any", "any", "timeout: 5s"},
		{"payment-service", "DEFAULT_GROUP", "staging", `{"timeout":"5s"}`},
		{"payment-service.json", "Staging", "", `{"timeout":"5s"}`},
		{"payment-service-staging.yml", "DEFAULT_GROUP", "", `timeout: "5s"`},
		{"cart", "DEFAULT_GROUP", "public", `{"size":1}`},
	} {
		got := get(t, base+nacosPath(c.dataID, c.group, c.tenant))
		got.is(t, 200, c.want)
		whole := got.body
		if !strings.HasSuffix(c.want, "}") {
			whole += "\n"
		}
		if got.header.Get("Content-MD5") != md5Of(whole) {
			t.Errorf("%s: its Content-MD5 is %s", c.dataID, got.header.Get("Content-MD5"))
		}
	}
	get(t, base+nacosPath("nobody", "DEFAULT_GROUP", "")).is(t, 404, "config data not exist")
	get(t, base+nacosPath("payment-service", "DEFAULT_GROUP", "")).is(t, 404,
		"the service has more than one profile that this token may read: ask for one of payment-service.production, payment-service.staging")
	get(t, base+nacosPath("", "DEFAULT_GROUP", "")).is(t, 400, "Param 'dataId' is required.")
	for _, method := range []string{"POST", "DELETE"} {
		if got := send(t, method, base+nacosPath("cart", "DEFAULT_GROUP", ""), ""); got.status != 405 || !strings.Contains(got.body, "read-only") {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	form(t, base+"/nacos/v1/auth/users/login", url.Values{"username": {"x"}, "password": {"tok"}}).is(t, 200, `{"accessToken":"tok","globalAdmin":false,"tokenTtl":18000}`)
}

// A client listens to texts by the MD5 of what it has.
func TestNacosListens(t *testing.T) {
	t.Parallel()
	s := twoServices(t)
	base := s.serve(t)
	cart := md5Of(`{"size":1}`)
	listen := func(text string, header ...string) reply {
		return form(t, base+"/nacos/v1/cs/configs/listener", url.Values{"Listening-Configs": {text}}, header...)
	}
	listen("cart\x02DEFAULT_GROUP\x02\x01none\x02G\x02\x02T\x01").is(t, 200, "cart%02DEFAULT_GROUP%01")
	listen("cart\x02G\x02"+cart+"\x02team\x01none\x02G\x02abc\x02team\x01").is(t, 200, "none%02G%02team%01")
	listen("cart\x02G\x02"+cart+"\x01").is(t, 200, "")
	listen("cart\x02G\x02"+cart+"\x01", "Long-Pulling-Timeout", "600").is(t, 200, "")

	answered := make(chan reply, 1)
	go func() { answered <- listen("cart\x02G\x02"+cart+"\x01", "Long-Pulling-Timeout", "30000") }()
	s.put(t, "payment-service.staging", "2.0.1", `{"timeout":"6s"}`)
	s.put(t, "cart.production", "1.1.0", `{"size":2}`)
	(<-answered).is(t, 200, "cart%02G%01")

	for _, wrong := range []string{"", "cart", "cart\x02G\x01", "\x02G\x02\x01", "a\x02b\x02c\x02d\x02e\x01", strings.Repeat("a\x02b\x02\x01", 3001)} {
		if got := listen(wrong); got.status != 400 || !strings.Contains(got.body, "Listening-Configs") {
			t.Errorf("%q: %d %s", wrong, got.status, got.body)
		}
	}
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // the protocol's own
	return hex.EncodeToString(sum[:])
}
