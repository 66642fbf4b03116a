package notify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/notify"
)

// verify does what a receiver does by the specification of Standard Webhooks.
func verify(t *testing.T, got received, key string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(got.header.Get("webhook-id") + "." + got.header.Get("webhook-timestamp") + "." + string(got.body)))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if signature := got.header.Get("webhook-signature"); signature != want {
		t.Errorf("signature %q, want %q", signature, want)
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	now := noon
	s := notifier(notify.Webhook, r.URL+"/"+canary, func(o *notify.Options) { o.Now = func() time.Time { return now } })
	n, standing := rolledBack()
	for range 2 {
		if err := s.Send(t.Context(), n, standing); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	got := r.all()
	for _, one := range got {
		verify(t, one, secret)
	}
	first, again := got[0], got[1]
	if id := first.header.Get("webhook-id"); id != "evt_1" || again.header.Get("webhook-id") != id {
		t.Errorf("the ids of two attempts are %q and %q", id, again.header.Get("webhook-id"))
	}
	if first.header.Get("webhook-timestamp") == again.header.Get("webhook-timestamp") || string(first.body) != string(again.body) {
		t.Error("the time of an attempt is its own, and the body is not")
	}
	var body struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Event, Message, Reason, ConfigName, ServiceName, Environment, ConfigVersion, PreviousVersion, URL string
			Deployment                                                                                        struct {
				ID, Status       string
				Phase, Phases    int
				Percent, Targets int
			}
		}
	}
	if err := json.Unmarshal(first.body, &body); err != nil {
		t.Fatal(err)
	}
	d := body.Data
	if body.Type != "deployment.rollback" || !body.Timestamp.Equal(noon) || d.Event != "rollback" || d.ConfigName != "payment-service.production" ||
		d.Message != "payment-service.production 1.4.0 is being rolled back to 1.3.0" || d.ConfigVersion != "1.4.0" || d.PreviousVersion != "1.3.0" ||
		d.URL != "https://sluice.example.com/deployments/0195" || d.Reason != "errorRate 12.0 %, above 5.0 points" ||
		d.Deployment.Status != "RollingBack" || d.Deployment.Phase != 2 || d.Deployment.Phases != 4 || d.Deployment.Percent != 30 || d.Deployment.Targets != 10 {
		t.Errorf("%s", first.body)
	}
}

// Texts of others reach a target without the secrets that stand in them.
func TestSecretsInTextsAreMasked(t *testing.T) {
	t.Parallel()
	for _, kind := range notify.Types() {
		r := newReceiver(t, nil)
		n, standing := rolledBack()
		leak := "could not apply it: https://ada:hunter2hunter2@db.example.com/x?token=hunter2hunter2 Bearer hunter2hunter2"
		n.Reason, n.Explanation, standing.Newest.Explanation, standing.Hold.Reason = leak, leak, leak, leak
		if err := notifier(kind, r.URL).Send(t.Context(), n, standing); err != nil {
			t.Fatal(err)
		}
		if body := string(r.all()[0].body); strings.Contains(body, "hunter2") || !strings.Contains(body, "could not apply it") {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		secret:                         "",
		strings.Repeat("k", 32):        "",
		strings.Repeat("k", 31):        "31 bytes",
		"":                             "0 bytes",
		"whsec_c2hvcnQ=":               "5 bytes",
		"whsec_" + "!!hunter2hunter2!": "no base64",
	} {
		_, err := signature.Key(given)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want %q", given, err, want)
		}
	}
}

// The guide shows what is sent.
func TestTheGuideShowsTheWebhook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	r := newReceiver(t, nil)
	n, standing := rolledBack()
	if err := notifier(notify.Webhook, r.URL).Send(t.Context(), n, standing); err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	if err := json.Indent(&sent, r.all()[0].body, "", "  "); err != nil {
		t.Fatal(err)
	}
	if got := sent.String() + "\n"; got != example {
		t.Errorf("what is sent is\n%s\nand the guide shows\n%s", got, example)
	}
}
