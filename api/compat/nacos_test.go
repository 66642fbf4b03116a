package compat

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

func nacosPath(dataID, group, tenant string) string {
	return nacosConfigs + "?" + url.Values{"dataId": {dataID}, "group": {group}, "tenant": {tenant}}.Encode()
}

// Request by request, as Nacos' open API has them.
func TestNacosReads(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nacos(), payments(t))
	for _, c := range []struct{ dataID, group, tenant, want string }{
		{"payment-service.staging", "DEFAULT_GROUP", "", `{"timeout":"5s"}`},
		{"payment-service.staging.yaml", "DEFAULT_GROUP", "", `"timeout": "5s"`},
		{"payment-service.staging.properties", "any", "any", "timeout=5s"},
		{"payment-service", "DEFAULT_GROUP", "staging", `{"timeout":"5s"}`},
		{"payment-service.json", "Staging", "", `{"timeout":"5s"}`},
		{"payment-service-staging.yml", "DEFAULT_GROUP", "", `"timeout": "5s"`},
		{"cart", "DEFAULT_GROUP", "public", `{"size":1}`},
	} {
		got := d.get(nacosPath(c.dataID, c.group, c.tenant))
		got.is(t, 200, c.want)
		whole := got.body
		if !strings.HasSuffix(c.want, "}") {
			whole += "\n"
		}
		if got.header.Get("Content-MD5") != nacosMD5([]byte(whole)) {
			t.Errorf("%s: its Content-MD5 is %s", c.dataID, got.header.Get("Content-MD5"))
		}
	}
	d.get(nacosPath("nobody", "DEFAULT_GROUP", "")).is(t, 404, "config data not exist")
	d.get(nacosPath("payment-service", "DEFAULT_GROUP", "")).is(t, 404,
		"the service has more than one profile that this token may read: ask for one of payment-service.production, payment-service.staging")
	d.get(nacosPath("", "DEFAULT_GROUP", "")).is(t, 400, "Param 'dataId' is required.")
	for _, method := range []string{"POST", "DELETE"} {
		if got := d.call(method, nacosPath("cart", "DEFAULT_GROUP", ""), ""); got.status != 405 || !strings.Contains(got.body, "read-only") {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	d.form("/nacos/v1/auth/users/login", url.Values{"username": {"x"}, "password": {"tok"}}).is(t, 200, `{"accessToken":"tok","globalAdmin":false,"tokenTtl":18000}`)
}

// A client listens to texts by the MD5 of what it has.
func TestNacosListens(t *testing.T) {
	t.Parallel()
	s := payments(t)
	d := newDoor(t, nacos(), s)
	cart := nacosMD5([]byte(`{"size":1}`))
	listen := func(text string, header ...string) reply {
		return d.form(nacosConfigs+"/listener", url.Values{"Listening-Configs": {text}}, header...)
	}
	listen("cart\x02DEFAULT_GROUP\x02\x01none\x02G\x02\x02T\x01").is(t, 200, "cart%02DEFAULT_GROUP%01")
	listen("cart\x02G\x02"+cart+"\x02dev\x01none\x02G\x02abc\x02dev\x01").is(t, 200, "none%02G%02dev%01")
	listen("cart\x02G\x02"+cart+"\x01").is(t, 200, "")
	listen("cart\x02G\x02"+cart+"\x01", "Long-Pulling-Timeout", "600").is(t, 200, "")

	<-s.entered
	answers := make(chan reply, 1)
	go func() { answers <- listen("cart\x02G\x02"+cart+"\x01", "Long-Pulling-Timeout", "30000") }()
	<-s.entered
	s.put(configOf(t, "cart.production", "cart", profile.Production, "1.1.0", 3, `{"size":2}`))
	(<-answers).is(t, 200, "cart%02G%01")

	for _, wrong := range []string{"", "cart", "cart\x02G\x01", "\x02G\x02\x01", "a\x02b\x02c\x02d\x02e\x01"} {
		if got := listen(wrong); got.status != 400 || !strings.Contains(got.body, "Listening-Configs") {
			t.Errorf("%q: %d %s", wrong, got.status, got.body)
		}
	}
}

// Who waits looks at indexes, and reads data only where one has changed: reading opens secrets.
func TestNacosReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s, seen := payments(t), map[nacosText]int64{}
	text := nacosText{dataID: "cart", md5: nacosMD5([]byte(`{"size":1}`))}
	for range 5 {
		if other, err := text.differs(t.Context(), s, seen); other || err != nil {
			t.Fatalf("the same is told to be other, or %v", err)
		}
	}
	if s.reads != 1 {
		t.Errorf("read %d times", s.reads)
	}
	s.put(configOf(t, "cart.production", "cart", profile.Production, "1.1.0", 3, `{"size":2}`))
	if other, err := text.differs(t.Context(), s, seen); !other || err != nil {
		t.Errorf("other data is told to be the same, or %v", err)
	}
}

func TestNacosWait(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{"": 0, "x": 0, "100": 0, "30000": 29500 * time.Millisecond, "9999999": time.Minute} {
		h := http.Header{"Long-Pulling-Timeout": {said}}
		if got := nacosWait(h); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
		h.Set("Long-Pulling-Timeout-No-Hangup", "true")
		if got := nacosWait(h); got != 0 {
			t.Errorf("a client that is starting would wait %s", got)
		}
	}
}

// A client brings its token as a password once, and then as it was told to.
func TestNacosToken(t *testing.T) {
	t.Parallel()
	form := func(body string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	query := httptest.NewRequestWithContext(t.Context(), "GET", "/?accessToken=two", nil)
	if one, two, three := nacosToken(form("username=x&password=one")), nacosToken(query), nacosToken(form("accessToken=three&dataId=x")); one != "one" || two != "two" || three != "three" {
		t.Errorf("%q %q %q", one, two, three)
	}
	if got := nacosToken(form("x=" + strings.Repeat("x", nacosBody) + "&password=late")); got != "" {
		t.Errorf("a body beyond its bound gave %q", got)
	}
}
