package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// openSecrets reads the keys and connects to nobody: a Vault that is down keeps
// new secrets from instances, and neither the start nor /readyz.
//
// run keeps what signs in to Vault alive.
func openSecrets(conf settings.Settings, sh *shell, db *store.Store, log *slog.Logger, registry prometheus.Registerer) (
	keeper *secrets.Keeper, run func(context.Context) error, err error,
) {
	keys, err := masterKeys(conf)
	if err != nil {
		return nil, nil, err
	}
	ages, err := secrets.ParseAges(conf.SopsAgeKeys.Reveal())
	if err != nil {
		return nil, nil, fmt.Errorf("sops_age_keys: %w", err)
	}
	providers, signedIn, err := openProviders(conf, sh, log)
	if err != nil {
		return nil, nil, err
	}
	rules := make([]secrets.Rule, len(conf.Secrets.Allow))
	for i, rule := range conf.Secrets.Allow {
		rules[i] = secrets.Rule{Profiles: rule.Profiles, References: rule.References}
	}
	keeper = secrets.New(secrets.Options{
		Keys: keys, Boxes: db, Providers: providers, Allow: rules, Ages: ages, Opened: secretMetrics(registry),
	})
	return keeper, func(ctx context.Context) error {
		if !store.IsPostgres(conf.DatabaseURL.Reveal()) && keys.Sealing() != "" {
			reseal(ctx, db, keys, log)
		}
		return signedIn(ctx)
	}, nil
}

// reseal puts what older keys sealed under the first one: nobody else can, while
// this daemon has the database. Replicas do not do so by themselves: one of them
// may not have the newest key yet.
func reseal(ctx context.Context, db *store.Store, keys secrets.Keys, log *slog.Logger) {
	r, err := secrets.Rotate(ctx, db, keys, rollout.Daemon, nil)
	if err != nil && ctx.Err() == nil {
		log.ErrorContext(ctx, "secrets could not all be sealed under the first key; sluice secrets status says more", "resealed", r.Resealed, "error", err)
	}
	if r.Resealed > 0 {
		log.InfoContext(ctx, "secrets were sealed anew under the first key", "values", r.Resealed, "key_id", keys.Sealing())
	}
	for _, why := range r.Stuck {
		log.ErrorContext(ctx, "a sealed value cannot be opened", "reason", why)
	}
}

// openProviders makes those that keep what references name.
func openProviders(conf settings.Settings, sh *shell, log *slog.Logger) (map[string]secrets.Provider, func(context.Context) error, error) {
	providers := map[string]secrets.Provider{"env": secrets.Env{Prefix: conf.SecretEnvPrefix, Lookup: func(name string) (string, bool) {
		v := sh.getenv(name)
		return v, v != ""
	}}}
	run := func(context.Context) error { return nil }
	if v := conf.Secrets.Vault; v.URL != "" {
		opened, err := secrets.NewVault(secrets.VaultOptions{
			URL: v.URL.Reveal(), Namespace: v.Namespace, Mounts: v.Mounts, Token: v.Token.Reveal(), Role: v.Role, AuthMount: v.AuthMount,
			JWTFile: v.JWTFile, CAFile: v.CAFile, Timeout: v.Timeout, Logger: log.With("component", "secrets"),
		})
		if err != nil {
			return nil, nil, err
		}
		providers["vault"], run = opened, opened.Run
	}
	if k := conf.Secrets.Kubernetes; len(k.Namespaces) > 0 {
		opened, err := secrets.NewKubernetes(secrets.KubernetesOptions{
			URL: k.URL, TokenFile: k.TokenFile, CAFile: k.CAFile, Namespaces: k.Namespaces, Timeout: k.Timeout,
		})
		if err != nil {
			return nil, nil, err
		}
		providers["k8s"] = opened
	}
	return providers, run, nil
}

// secretMetrics counts what is opened, by who keeps it and how it went.
func secretMetrics(registry prometheus.Registerer) func(kind string, err error) {
	opened := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_secrets_opened_total", Help: "Secrets that were asked for, for deliveries, by who keeps them and outcome.",
	}, []string{"keeper", "outcome"})
	registry.MustRegister(opened)
	for _, keeper := range []string{string(profile.Sealed), "vault", "env", "k8s"} {
		for _, outcome := range []string{"opened", "refused"} {
			opened.WithLabelValues(keeper, outcome)
		}
	}
	return func(kind string, err error) {
		outcome := "opened"
		if err != nil {
			outcome = "refused"
		}
		opened.WithLabelValues(kind, outcome).Inc()
	}
}
