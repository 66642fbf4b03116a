package settings_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/notify"
)

const webhookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// guide is the first example of settings in a guide.
func guide(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the guide has lost its example")
	}
	return example
}

func TestNotificationsOfTheGuide(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input(guide(t, "notifications.md"), nil, nil, map[string]string{
		"/run/secrets/slack-url": "https://hooks.slack.com/services/" + canary + "\n", "/run/secrets/webhook-secret": webhookSecret + "\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := s.Notifications.Router()
	if want := []string{"deployments", "audit", "alerts"}; !slices.Equal(r.Names(), want) {
		t.Errorf("targets are %v, want %v", r.Names(), want)
	}
	if got := r.Targets[0]; got.Type != notify.Slack || got.URL != "https://hooks.slack.com/services/"+canary {
		t.Errorf("%+v", got)
	}
	if got := r.Routes[1]; !slices.Equal(got.Events, []notify.Event{"rollback", "hold", "released", "forced"}) || got.Profiles[0] != "payment-*" {
		t.Errorf("%+v", got)
	}
	shown := s.LogValue().String() + fmt.Sprintf("%v %+v", s, s)
	if strings.Contains(shown, canary) || strings.Contains(shown, webhookSecret) || !strings.Contains(shown, "deployments") {
		t.Errorf("the log shows %s", shown)
	}
}

// What is wrong with a notification is said at start, at its place, and without
// the secrets in it.
func TestNotificationsRefused(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		`targets: [{name: a, type: slack}]`:                                                             "notifications.targets[0].url: must be like https://",
		`targets: [{name: a, type: slack, url: "http://CANARY-0123456789/x"}]`:                          "targets[0].url: must begin with https://",
		`targets: [{name: a, type: slack, url: "CANARY-0123456789"}]`:                                   "targets[0].url: must be like",
		`targets: [{name: A b, type: slack, url: "https://h/x"}]`:                                       `targets[0].name: "A b" must be lower-case`,
		`targets: [{name: "` + strings.Repeat("x", 41) + `", type: slack, url: "https://h"}]`:           "at most 40",
		`targets: [{name: a, type: slac, url: "https://h/x"}]`:                                          `"slac" is not one of webhook, slack, alertmanager, did you mean slack?`,
		`targets: [{name: a, type: webhook, url: "https://h/x"}]`:                                       "targets[0].secret: is a key of 0 bytes, at least 32 are needed",
		`targets: [{name: a, type: webhook, url: "https://h/x", secret: CANARY-0123456789}]`:            "targets[0].secret: is a key of 17 bytes",
		`targets: [{name: a, type: slack, url: "https://h/x", secret: CANARY-0123456789}]`:              "targets[0].secret: is only for webhooks",
		`targets: [{name: a, type: slack, url: "https://h"}, {name: a, type: slack, url: "https://h"}]`: `targets[1].name: "a" is used twice`,
		`targets: [{name: ops, type: slack, url: "https://h"}]
  routes: [{targets: [opps]}]`: `routes[0].targets: there is no target "opps", did you mean ops?`,
		`routes: [{events: [started]}]`: "routes[0].targets: names no target",
		`targets: [{name: ops, type: slack, url: "https://h"}]
  routes: [{targets: [ops], events: [rollbak]}]`: `routes[0].events: there is no event "rollbak", did you mean rollback?`,
		`targets: [{name: ops, type: slack, url: "https://h"}]
  routes: [{targets: [ops], profiles: ["["]}]`: `routes[0].profiles: "[" is no glob`,
		`targets: [{name: ops, type: slack, url: "https://h"}]
  routes: [{targets: [ops], environments: [production]}]`: `"production" is not one of Development, Staging, Production, did you mean Production?`,
		`targets: [{name: am, type: alertmanager, url: "http://h"}]
  routes: [{targets: [am], events: [hold]}]`: "give it a route without events",
		`targets: [{nam: ops}]`: `unknown key "notifications.targets[0].nam", did you mean name?`,
		`targets: {}`:           "notifications.targets must be a list",
	} {
		_, err := settings.Load(input("notifications:\n  "+file, nil, nil, nil))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%v, want %s", file, err, want)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error holds the secret: %v", file, err)
		}
	}
	if _, err := settings.Load(input(`{allow_insecure_http: true, notifications: {targets: [{name: a, type: slack, url: "http://h"}]}}`, nil, nil, nil)); err != nil {
		t.Error(err)
	}
}
