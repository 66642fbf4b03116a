package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

const (
	maxHealthBody  = 64 << 10 // bytes of a health answer that are read, to keep its connection
	maxMetricsBody = 8 << 20
)

// prober reads the program's health for heartbeats.
type prober struct {
	opts Probe
	http *http.Client
	log  *slog.Logger

	mu     sync.Mutex
	base   *snapshot // of the last heartbeat that the server took
	silent string    // last trouble that was logged
}

// localClient talks to the program beside the agent: no proxy, no redirects.
func localClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// health reports status and what was counted since the last report that was taken. Without counts,
// the status alone is reported. A metrics endpoint that cannot be read makes the status Unknown,
// unless the health endpoint says Unhealthy.
func (p *prober) health(ctx context.Context) (wire.Health, func()) {
	h := wire.Health{Status: "Unknown"}
	var trouble error
	if p.opts.HealthURL != "" {
		h.Status, trouble = p.status(ctx)
	}
	if p.opts.MetricsURL == "" {
		p.note(trouble)
		return h, nil
	}
	now, err := p.scrape(ctx)
	if err != nil {
		if h.Status != "Unhealthy" {
			h.Status = "Unknown"
		}
		p.note(errors.Join(trouble, err))
		return h, nil
	}
	p.note(trouble)
	if p.opts.HealthURL == "" {
		h.Status = "Healthy" // it answers
	}
	p.mu.Lock()
	base := p.base
	p.mu.Unlock()
	if base != nil {
		now.since(*base).fill(&h)
	}
	return h, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.base = &now
	}
}

// note logs a trouble once, until another one comes or it passes.
func (p *prober) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != p.silent {
		p.log.Warn("health of the program is not known in full", "error", err)
	}
	p.silent = text
}

// status asks the health endpoint. A program that does not answer in time, or at all, is unhealthy;
// an answer that says nothing of health, a redirect for example, is unknown.
func (p *prober) status(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	res, err := p.get(ctx, p.opts.HealthURL, "*/*")
	if err != nil {
		return "Unhealthy", fmt.Errorf("health endpoint: %w", err)
	}
	defer res.Body.Close()
	// The body is of no interest; a program that stops in the middle of it is not well.
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxHealthBody)); err != nil {
		return "Unhealthy", fmt.Errorf("health endpoint: %w", err)
	}
	switch res.StatusCode / 100 {
	case 2:
		return "Healthy", nil
	case 3:
		return "Unknown", fmt.Errorf("health endpoint redirects (%d)", res.StatusCode)
	default:
		return "Unhealthy", fmt.Errorf("health endpoint answers %d", res.StatusCode)
	}
}

func (p *prober) scrape(ctx context.Context) (snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	res, err := p.get(ctx, p.opts.MetricsURL, "text/plain;version=0.0.4")
	if err != nil {
		return snapshot{}, fmt.Errorf("metrics endpoint: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return snapshot{}, fmt.Errorf("metrics endpoint answers %d", res.StatusCode)
	}
	body := &io.LimitedReader{R: res.Body, N: maxMetricsBody + 1}
	s, err := parseMetrics(body, p.opts)
	if body.N <= 0 {
		return snapshot{}, fmt.Errorf("metrics endpoint: %w", client.ErrTooLarge)
	}
	if err != nil {
		return snapshot{}, fmt.Errorf("metrics endpoint: %w", err)
	}
	return s, nil
}

func (p *prober) get(ctx context.Context, target, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "sluice-agent")
	res, err := p.http.Do(req)
	if err != nil {
		return nil, bareError(err)
	}
	return res, nil
}

// bareError drops the URL, which may hold credentials, from an error of an HTTP client.
func bareError(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}
