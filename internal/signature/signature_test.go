package signature_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
)

// The example of Standard Webhooks' own libraries.
func TestPublishedExample(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	signature.Sign(h, key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got := h.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed %s", got)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1614265330, 0)
	key, body := []byte(strings.Repeat("k", 32)), []byte(`{"a":1}`)
	for name, c := range map[string]struct {
		change func(h http.Header, key, body []byte) time.Time
		want   string // part of the error, "" for none
	}{
		"as it was sent": {func(http.Header, []byte, []byte) time.Time { return now }, ""},
		"one of several fits": {func(h http.Header, _, _ []byte) time.Time {
			h.Set("Webhook-Signature", "v1a,xx v1,AAAA "+h.Get("Webhook-Signature"))
			return now
		}, ""},
		"another body": {func(_ http.Header, _, body []byte) time.Time { body[5] = '2'; return now }, "no signature"},
		"another key":  {func(_ http.Header, key, _ []byte) time.Time { key[0] = 'x'; return now }, "no signature"},
		"another id":   {func(h http.Header, _, _ []byte) time.Time { h.Set("Webhook-Id", "x"); return now }, "no signature"},
		"no id":        {func(h http.Header, _, _ []byte) time.Time { h.Del("Webhook-Id"); return now }, "missing"},
		"no time":      {func(h http.Header, _, _ []byte) time.Time { h.Set("Webhook-Timestamp", "now"); return now }, "missing"},
		"no signature": {func(h http.Header, _, _ []byte) time.Time { h.Del("Webhook-Signature"); return now }, "no signature"},
		"an old one":   {func(http.Header, []byte, []byte) time.Time { return now.Add(6 * time.Minute) }, "6m0s old"},
		"a later one":  {func(http.Header, []byte, []byte) time.Time { return now.Add(-6 * time.Minute) }, "old"},
	} {
		h, k, b := http.Header{}, append([]byte(nil), key...), append([]byte(nil), body...)
		signature.Sign(h, key, "id", now, body)
		at := c.change(h, k, b)
		err := signature.Verify(h, k, b, at)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 32)
	for secret, want := range map[string]string{
		long: long, "whsec_" + base64.StdEncoding.EncodeToString([]byte(long)): long,
		"": "", "short": "", "whsec_" + long[:8]: "", "whsec_not base64": "",
	} {
		key, err := signature.Key(secret)
		if string(key) != want && want != "" || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", secret, key, err)
		}
		if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
