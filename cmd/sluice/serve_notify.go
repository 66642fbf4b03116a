package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/notify"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// routing says who hears of what, for the transactions that store it.
func routing(conf settings.Settings) store.Routing {
	router := conf.Notifications.Router()
	return store.Routing{
		Targets: router.Names(), Together: router.Together(), Facts: router.Facts(), Route: router.Route,
		PullRequests: slices.ContainsFunc(conf.Sources, func(src settings.Source) bool { return src.Forge.Type != settings.ForgeLocal }),
	}
}

// tell sends a notification for the outbox.
func tell(n *notify.Notifier) func(context.Context, rollout.Notification, rollout.Standing) error {
	return func(ctx context.Context, about rollout.Notification, now rollout.Standing) error {
		return forOutbox(n.Send(ctx, about, now))
	}
}

// tellTogether sends many in one message for the outbox.
func tellTogether(n *notify.Notifier) func(context.Context, []rollout.Notification) error {
	return func(ctx context.Context, all []rollout.Notification) error {
		return forOutbox(n.SendTogether(ctx, all))
	}
}

// forOutbox says in the outbox's word which errors are not worth another attempt.
func forOutbox(err error) error {
	if errors.Is(err, notify.ErrTerminal) {
		return fmt.Errorf("%w: %w", store.ErrTerminal, err)
	}
	return err
}

// unknownTarget is the type of a name that no target has.
const unknownTarget = "unknown"

// notificationMetrics counts attempts to notify, by the type of their target.
func notificationMetrics(registry prometheus.Registerer, conf settings.Settings) func(target string, outcome store.Outcome) {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_notifications_total", Help: "Attempts to notify a target, by its type and what became of them.",
	}, []string{"type", "outcome"})
	registry.MustRegister(attempts)
	attempts.WithLabelValues(unknownTarget, string(store.Refused))
	types := map[string]string{}
	for _, target := range conf.Notifications.Targets {
		types[target.Name] = target.Type
		for _, outcome := range []store.Outcome{store.Sent, store.Retried, store.Refused, store.Expired} {
			attempts.WithLabelValues(target.Type, string(outcome))
		}
	}
	return func(target string, outcome store.Outcome) {
		kind, ok := types[target]
		if !ok {
			kind = unknownTarget
		}
		attempts.WithLabelValues(kind, string(outcome)).Inc()
	}
}
