package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/profile"
)

// Reach is whom a server's settings let it ask and tell.
type Reach struct {
	Prometheus   bool     // the setting prometheus_url is there
	Gates        []string // names of the setting gates
	TrafficHooks []string // names of the setting traffic_hooks
}

// refuse says whether a deployment needs somebody out of reach. Its error wraps
// ErrRefused and names the setting that is missing.
func (r Reach) refuse(d Deployment) error {
	if hook := d.Strategy.TrafficHook; hook != "" && !slices.Contains(r.TrafficHooks, hook) {
		return fmt.Errorf("%w: strategy %s tells the traffic hook %s, which this server does not know: add it to the setting traffic_hooks, which %s",
			ErrRefused, d.Strategy.Type, hook, knows(r.TrafficHooks))
	}
	h := d.Health
	if !h.Enabled {
		return nil
	}
	for _, m := range h.Metrics {
		switch m.Provider {
		case profile.ProviderHeartbeat, "":
		case profile.ProviderPrometheus:
			if !r.Prometheus {
				return fmt.Errorf("%w: metric %s is one of prometheus, and this server knows no Prometheus: set prometheus_url, or use the provider heartbeat", ErrRefused, m.Name)
			}
		case profile.ProviderWebhook:
			if !slices.Contains(r.Gates, m.Query) {
				return fmt.Errorf("%w: metric %s asks the gate %s, which this server does not know: add it to the setting gates, which %s", ErrRefused, m.Name, m.Query, knows(r.Gates))
			}
		default:
			return fmt.Errorf("%w: metric %s: provider %q is not one that this server can ask: use prometheus, heartbeat or webhook", ErrRefused, m.Name, m.Provider)
		}
	}
	return nil
}

func knows(names []string) string {
	if len(names) == 0 {
		return "has none"
	}
	return "knows " + strings.Join(names, ", ")
}
