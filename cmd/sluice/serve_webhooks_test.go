package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
)

// Only sources that are to take webhooks, and can tell who sends them, have a
// door; where there is none, there is no door at all.
func TestWhoTakesWebhooks(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	conf := settings.Settings{Sources: []settings.Source{
		{ID: "polled", Forge: settings.Forge{Type: settings.ForgeGitHub, WebhookSecrets: secret}},
		{ID: "plain", Forge: settings.Forge{Type: settings.ForgeLocal, Webhooks: true}},
	}}
	if door, err := openWebhooks(conf, nil, nil, nil, prometheus.NewRegistry()); door != nil || err != nil {
		t.Errorf("nobody takes webhooks, and the door is %v, %v", door, err)
	}
	conf.Sources = append(conf.Sources, settings.Source{ID: "hooked", Branch: "main", Forge: settings.Forge{
		Type: settings.ForgeGitea, Repository: "acme/configs", Webhooks: true, WebhookSecrets: secret + "\n" + secret + "2",
	}})
	taking := webhookSources(conf)
	if len(taking) != 1 || taking[0].ID != "hooked" || taking[0].Forge != "gitea" || taking[0].Repository != "acme/configs" ||
		taking[0].Branch != "main" || len(taking[0].Secrets) != 2 {
		t.Errorf("webhooks are taken by %+v", taking)
	}
}
