package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

const (
	probeAttempts = 3
	probeTimeout  = 2 * time.Second // of one attempt
	probePause    = 200 * time.Millisecond
	probesAtOnce  = 16
)

// prober asks the instances themselves.
type prober struct{ client *http.Client }

func newProber(allowed []netip.Prefix) *prober {
	dialer := net.Dialer{Timeout: probeTimeout, Control: networks(allowed).control}
	return &prober{client: &http.Client{
		CheckRedirect: noRedirects,
		// Without a proxy: it would be the one to connect, where it likes to.
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders,
		},
	}}
}

// measure probes the ask's instances, some at a time. Those that it has no time
// for are left out.
func (p *prober) measure(ctx context.Context, ask rollout.Ask) rollout.Measurement {
	endpoint, err := url.ParseRequestURI(ask.Query)
	if err != nil {
		return rollout.Measurement{Err: "the endpoint is not a path"}
	}
	results := make([]*rollout.Probe, len(ask.Probed))
	var group sync.WaitGroup
	turn := make(chan struct{}, probesAtOnce)
	for i, instance := range ask.Probed {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		group.Go(func() {
			defer func() { <-turn }()
			results[i] = p.probe(ctx, instance, endpoint)
		})
	}
	group.Wait()
	var out rollout.Measurement
	for _, result := range results {
		if result != nil {
			out.Probes = append(out.Probes, *result)
		}
	}
	if len(out.Probes) == 0 && len(ask.Probed) > 0 {
		out.Err = "there was no time to probe an instance"
	}
	return out
}

// probe tries one instance until an attempt goes well. It answers nil when there
// was no time for a single whole one.
func (p *prober) probe(ctx context.Context, instance rollout.Probed, endpoint *url.URL) *rollout.Probe {
	out := &rollout.Probe{Probed: instance}
	if out.Err = unfit(instance); out.Err != "" {
		return out
	}
	for attempt := range probeAttempts {
		if attempt > 0 {
			select {
			case <-time.After(probePause):
			case <-ctx.Done():
				return out
			}
		}
		failure, err := p.attempt(ctx, instance, endpoint)
		switch {
		case ctx.Err() != nil && out.Failure == "": // cut short, it says nothing
			return nil
		case ctx.Err() != nil:
			return out
		case err != "":
			out.Failure, out.Err = "", err
			return out
		case failure == "":
			out.Failure = ""
			return out
		}
		out.Failure = failure
	}
	return out
}

// unfit says why an instance cannot be probed as it registered.
func unfit(instance rollout.Probed) string {
	if instance.Port <= 0 {
		return "it registered without a port"
	}
	odd := func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || r == ':' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if instance.Hostname == "" || len(instance.Hostname) > 253 || strings.ContainsFunc(instance.Hostname, odd) {
		return "it registered with a host name that cannot be looked up"
	}
	return ""
}

// attempt makes one request. A failure is the instance's, an error is ours: the
// instance cannot be reached from here, whatever it runs.
func (p *prober) attempt(ctx context.Context, instance rollout.Probed, endpoint *url.URL) (failure, err string) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req := (&http.Request{
		Method: http.MethodGet, Header: http.Header{"User-Agent": {"sluice-probe"}},
		URL: &url.URL{
			Scheme: "http", Host: net.JoinHostPort(instance.Hostname, strconv.Itoa(instance.Port)),
			Path: endpoint.Path, RawPath: endpoint.RawPath, RawQuery: endpoint.RawQuery,
		},
	}).WithContext(ctx)
	resp, problem := p.client.Do(req)
	if problem != nil {
		_, forbidden := errors.AsType[*refused](problem)
		_, unknown := errors.AsType[*net.DNSError](problem)
		if forbidden || unknown && ctx.Err() == nil {
			return "", why(ctx, problem, probeTimeout)
		}
		return why(ctx, problem, probeTimeout), ""
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxWord)) //nolint:errcheck // the status was read
	switch code := resp.StatusCode; code / 100 {
	case 2:
		return "", ""
	case 3:
		return fmt.Sprintf("answered %d, a redirect, which a probe does not follow", code), ""
	default:
		return fmt.Sprintf("answered %d", code), ""
	}
}
