package notify_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
)

var toGreen = rollout.Switch{Hook: "edge", Profile: "web.production", Group: "green", Before: "blue", Deployment: "d-1", Revision: 3, At: noon}

func TestTrafficHookIsTold(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	hooks := notify.NewHooks(notify.Hook{Name: "edge", URL: r.URL + "/" + canary, Secret: secret})
	if err := hooks.Tell(t.Context(), toGreen); err != nil {
		t.Fatal(err)
	}
	got := r.got[0]
	key, err := signature.Key(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(got.header, key, got.body, time.Now()); err != nil {
		t.Error(err)
	}
	if id := got.header.Get("Webhook-Id"); id != "switch/web.production/3" {
		t.Errorf("its id is %s", id)
	}
	var body map[string]any
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	const want = `{"activeGroup":"green","configName":"web.production","deploymentId":"d-1","previousGroup":"blue","revision":3}`
	if data, err := json.Marshal(body["data"]); err != nil || string(data) != want || body["type"] != "traffic.switch" {
		t.Errorf("told %s", got.body)
	}
}

func TestTrafficHookThatDoesNotTakeIt(t *testing.T) {
	t.Parallel()
	sorry := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	away := newReceiver(t, nil)
	away.Close()
	leads := newReceiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, sorry.URL, http.StatusFound) })
	for url, want := range map[string]string{
		sorry.URL + "/" + canary: "traffic hook edge: the target answers 503 Service Unavailable",
		away.URL + "/" + canary:  "traffic hook edge: the target is not reached",
		leads.URL + "/" + canary: "redirects are not followed",
	} {
		err := notify.NewHooks(notify.Hook{Name: "edge", URL: url, Secret: secret}).Tell(t.Context(), toGreen)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := notify.NewHooks().Tell(t.Context(), toGreen); err == nil || !strings.Contains(err.Error(), `"edge"`) {
		t.Errorf("a hook that nobody knows: %v", err)
	}
}
