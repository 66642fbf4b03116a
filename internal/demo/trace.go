package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/sluicehq/sluice/internal/collector"
	"github.com/sluicehq/sluice/internal/telemetry"
)

// traceAgents opens the collector that every process of the demo exports its
// spans to, and makes the agents, which run in this one, do so.
func (r *run) traceAgents(ctx context.Context) (stop func() error, err error) {
	if r.traces, err = collector.Start(); err != nil {
		return nil, err
	}
	provider, err := telemetry.NewExportingProvider(ctx, r.traces.URL, "sluice-agent", "demo")
	if err != nil {
		return nil, errors.Join(err, r.traces.Close())
	}
	before, propagator := otel.GetTracerProvider(), otel.GetTextMapPropagator()
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(telemetry.Propagator())
	return func() error {
		otel.SetTracerProvider(before)
		otel.SetTextMapPropagator(propagator)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(provider.Shutdown(bounded), r.traces.Close())
	}, nil
}

// spanPatience is how long the last spans of a rollout may be on their way.
const spanPatience = 15 * time.Second

// goodTrace shows what (a) was, as one trace: from the webhook that told of the
// commit to the reload in each of the instances.
func (r *run) goodTrace(ctx context.Context) error {
	d, err := r.client.Deployment(ctx, r.goodID)
	if err != nil {
		return fmt.Errorf("read the deployment of the good change: %w", err)
	}
	r.screen.title("All of that is one trace, %s: from the webhook to the reload in each instance", d.TraceID)
	ctx, cancel := context.WithTimeout(ctx, spanPatience)
	defer cancel()
	of := func(all []collector.Span) (own []collector.Span) {
		for _, s := range all {
			if s.Trace == d.TraceID {
				own = append(own, s)
			}
		}
		return own
	}
	all, err := r.traces.Wait(ctx, func(all []collector.Span) bool {
		own := of(all)
		return len(reloads(own)) == paymentInstances && count(own, "config.deploy") == 1
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("wait for the spans of the good change: %w", err)
	}
	own := of(all)
	for line := range strings.Lines(collector.Tree(own, 1)) {
		r.screen.say("  %s", strings.TrimRight(line, "\n"))
	}
	r.screen.check(len(reloads(own)) == paymentInstances, "%d reloads in agents descend from the webhook's request, %d spans in all", len(reloads(own)), len(own))
	return nil
}

// reloads are the spans of reloads that descend, parent by parent, from the
// webhook over the sync, the deployment and the instance.
func reloads(spans []collector.Span) (found []collector.Span) {
	byID := map[string]collector.Span{}
	for _, s := range spans {
		byID[s.ID] = s
	}
	way := []string{"config.deploy.instance", "config.deploy", "source.sync", "POST /webhooks/:forge"}
	for _, s := range spans {
		if s.Name != "config.reload" {
			continue
		}
		ancestor, led := s, true
		for _, name := range way {
			ancestor = byID[ancestor.Parent]
			led = led && ancestor.Name == name
		}
		if led {
			found = append(found, s)
		}
	}
	return found
}

func count(spans []collector.Span, name string) (n int) {
	for _, s := range spans {
		if s.Name == name {
			n++
		}
	}
	return n
}
