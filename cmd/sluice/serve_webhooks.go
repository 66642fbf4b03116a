package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
	"github.com/sluicehq/sluice/webhook"
)

// openWebhooks builds the door for webhooks; nil when no source takes any.
func openWebhooks(conf settings.Settings, inbox *store.Deliveries, sources *sourceSet, log *slog.Logger, registry prometheus.Registerer) (http.Handler, error) {
	taking := webhookSources(conf)
	if len(taking) == 0 {
		return nil, nil
	}
	return webhook.New(webhook.Options{
		Sources: taking, Store: webhookStore{inbox}, Wake: func(id string) { sources.wake(id) }, MaxBody: int64(conf.MaxWebhookSize),
		Logger: log.With("component", "webhook"), Answered: webhookMetrics(registry, taking), Fail: failpoint,
	})
}

// webhookSources are the sources that take webhooks.
func webhookSources(conf settings.Settings) []webhook.Source {
	var taking []webhook.Source
	for _, src := range conf.Sources {
		secrets := src.Forge.Secrets()
		if !src.Forge.Webhooks || len(secrets) == 0 {
			continue
		}
		taking = append(taking, webhook.Source{
			ID: src.ID, Forge: src.Forge.Type, Repository: src.Forge.Repository, Branch: src.Branch, Secrets: secrets,
		})
	}
	return taking
}

// webhookStore lets the store's writer keep what the door takes.
type webhookStore struct{ inbox *store.Deliveries }

// RecordDeliveries keeps deliveries.
func (s webhookStore) RecordDeliveries(ctx context.Context, deliveries ...webhook.Delivery) ([]bool, error) {
	rows := make([]store.Delivery, len(deliveries))
	for i, d := range deliveries {
		rows[i] = store.Delivery(d)
	}
	return s.inbox.Record(ctx, rows...)
}

// webhookMetrics counts what became of webhooks.
func webhookMetrics(registry prometheus.Registerer, taking []webhook.Source) func(forge string, outcome webhook.Outcome) {
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_webhook_deliveries_total", Help: "Webhooks that came, by forge and what became of them.",
	}, []string{"forge", "outcome"})
	registry.MustRegister(deliveries)
	for _, src := range taking {
		for _, outcome := range []webhook.Outcome{webhook.Accepted, webhook.Duplicate, webhook.Unmatched, webhook.Limited, webhook.Refused, webhook.Failed} {
			deliveries.WithLabelValues(src.Forge, string(outcome))
		}
	}
	return func(forge string, outcome webhook.Outcome) { deliveries.WithLabelValues(forge, string(outcome)).Inc() }
}
