package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/store"
)

// openSecrets reads the keys and connects to nobody: a Vault that is down keeps
// new secrets from instances, and neither the start nor /readyz.
func openSecrets(conf settings.Settings, db *store.Store, registry prometheus.Registerer) (*secrets.Keeper, error) {
	keys, err := secrets.ParseKeys(conf.MasterKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("master_key: %w", err)
	}
	rules := make([]secrets.Rule, len(conf.Secrets.Allow))
	for i, rule := range conf.Secrets.Allow {
		rules[i] = secrets.Rule{Profiles: rule.Profiles, References: rule.References}
	}
	return secrets.New(secrets.Options{Keys: keys, Boxes: db, Allow: rules, Opened: secretMetrics(registry)}), nil
}

// secretMetrics counts what is opened, by who keeps it and how it went.
func secretMetrics(registry prometheus.Registerer) func(kind string, err error) {
	opened := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_secrets_opened_total", Help: "Secrets that were asked for, for deliveries, by who keeps them and outcome.",
	}, []string{"keeper", "outcome"})
	registry.MustRegister(opened)
	return func(kind string, err error) {
		outcome := "opened"
		if err != nil {
			outcome = "refused"
		}
		opened.WithLabelValues(kind, outcome).Inc()
	}
}
