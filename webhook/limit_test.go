package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/webhook"
)

// TestAddressesAreBounded: a flood of addresses neither fills the memory nor gives
// anybody a fresh count.
func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	door, err := webhook.New(webhook.Options{
		Store: &inbox{}, Wake: func(string) {}, Sources: sources, Failures: 5, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	fail := func(address string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/github", strings.NewReader("{}"))
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w.Code
	}
	for i := range webhook.MaxAddresses + 1000 {
		fail(fmt.Sprintf("10.%d.%d.%d:5000", i>>16, i>>8&255, i&255))
	}
	if n := door.Addresses(); n > webhook.MaxAddresses+1 {
		t.Errorf("%d addresses are remembered", n)
	}
	if status := fail("192.0.2.1"); status != http.StatusTooManyRequests {
		t.Errorf("a new address beyond them is answered %d", status)
	}
	now = now.Add(time.Minute)
	for i, want := range []int{401, 401, 401, 401, 401, 429} {
		if status := fail(fmt.Sprintf("[2001:db8:1:2::%x]:5000", i+1)); status != want { // one subscriber's
			t.Errorf("failure %d of a network is answered %d, want %d", i+1, status, want)
		}
	}
	if status := fail("[2001:db8:1:3::1]:5000"); status != 401 {
		t.Errorf("the next network is answered %d", status)
	}
}

// FuzzDoor: without a secret nobody gets past the door, whatever is sent.
func FuzzDoor(f *testing.F) {
	body := push("acme/configs", "refs/heads/main")
	for _, desk := range []string{"github", "gitea", "forgejo", "gitlab", "generic", "..", ""} {
		f.Add(desk, "X-Hub-Signature-256", sign(body, ""), []byte(body))
	}
	f.Add("gitlab", "X-Gitlab-Token", "", []byte(`{"object_kind":"push"}`))
	f.Add("generic", "Webhook-Signature", "v1,AAAA", []byte(`{"source":"plain"}`))
	var woken []string
	door, err := webhook.New(webhook.Options{
		Store: &inbox{}, Wake: func(id string) { woken = append(woken, id) }, Sources: sources, Failures: 1 << 60,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, desk, header, value string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/github", strings.NewReader(string(body)))
		r.URL.Path = "/webhooks/" + desk
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || len(woken) > 0 {
			t.Fatalf("answered %d, woke %v", w.Code, woken)
		}
	})
}
