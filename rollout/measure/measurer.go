package measure

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Options say whom to ask.
type Options struct {
	Prometheus    PrometheusOptions // its URL is empty where there is none
	ProbeNetworks []netip.Prefix    // where instances are probed, and nowhere else
	Gates         []Gate
	Logger        *slog.Logger // told of panics; may be nil
	// Measured is told of every ask; may be nil.
	Measured func(provider string, took time.Duration, failed bool)
}

// Measurer is the rollout.Measurer of a server.
type Measurer struct {
	providers map[string]provider
	log       *slog.Logger
	measured  func(provider string, took time.Duration, failed bool)
}

// provider answers one ask. What it returns of the Ask itself is of no interest.
type provider interface {
	measure(ctx context.Context, ask rollout.Ask) rollout.Measurement
}

// New returns a Measurer. It asks nobody yet: who is down now is an error only
// of what is measured meanwhile.
func New(opts Options) (*Measurer, error) {
	m := &Measurer{log: opts.Logger, measured: opts.Measured, providers: map[string]provider{
		rollout.ProbeProvider: newProber(opts.ProbeNetworks),
	}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.measured == nil {
		m.measured = func(string, time.Duration, bool) {}
	}
	if opts.Prometheus.URL != "" {
		p, err := newPrometheus(opts.Prometheus)
		if err != nil {
			return nil, err
		}
		m.providers[profile.ProviderPrometheus] = p
	}
	gates, err := newWebhooks(opts.Gates)
	if err != nil {
		return nil, err
	}
	m.providers[profile.ProviderWebhook] = gates
	return m, nil
}

// Measure asks all at once.
func (m *Measurer) Measure(ctx context.Context, asks []rollout.Ask) []rollout.Measurement {
	out := make([]rollout.Measurement, len(asks))
	var group sync.WaitGroup
	for i, ask := range asks {
		group.Go(func() { out[i] = m.one(ctx, ask) })
	}
	group.Wait()
	return out
}

func (m *Measurer) one(ctx context.Context, ask rollout.Ask) (out rollout.Measurement) {
	start := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			m.log.ErrorContext(ctx, "a measurement panicked", "metric", ask.Name, "provider", ask.Provider, "panic", fmt.Sprint(cause))
			out = rollout.Measurement{Err: "asking " + ask.Provider + " panicked, see the log of the server"}
		}
		out.Ask = ask
		m.measured(ask.Provider, time.Since(start), out.Err != "")
	}()
	p, ok := m.providers[ask.Provider]
	if !ok {
		return rollout.Measurement{Err: "this server cannot ask " + ask.Provider + ": its settings do not name one"}
	}
	return p.measure(ctx, ask)
}
