package settings

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Gate is a webhook that profiles can name as a metric of the provider webhook.
type Gate struct {
	Name   string `key:"name" help:"short name; unique; profiles name it as the query of a metric"`
	URL    Secret `key:"url" help:"where it is asked"`
	Secret Secret `key:"secret" help:"key of the signature, 32 bytes or more: whsec_ and base64, or any text"`
}

// LogValue shows the gate without its secrets.
func (g Gate) LogValue() slog.Value { return logValue(g) }

// longestQuery is what a claim on a deployment leaves for one answer.
const longestQuery = 4 * time.Second

// checkProviders checks whom a gate asks. It never repeats a URL: it may be a secret.
func (s Settings) checkProviders(check checker) {
	if raw := s.PrometheusURL.Reveal(); raw != "" {
		u, err := url.Parse(raw)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "",
			"prometheus_url", "must be like https://prometheus.example.com, without a query")
		check(err != nil || u.User == nil || s.PrometheusToken == "", "prometheus_token", "is given, and prometheus_url has a user too: give one")
	}
	check(s.PrometheusToken == "" || s.PrometheusURL != "", "prometheus_token", "is of no use without prometheus_url")
	check(s.PrometheusTimeout > 0 && s.PrometheusTimeout <= longestQuery, "prometheus_timeout", "%s is not between 0 and %s", s.PrometheusTimeout, longestQuery)
	for _, cidr := range s.ProbeNetworks {
		_, err := netip.ParsePrefix(cidr)
		check(err == nil, "probe_networks", "%q is not a network, write 10.0.0.0/8", cidr)
	}
	seen := map[string]bool{}
	for i, gate := range s.Gates {
		at := within(fmt.Sprintf("gates[%d].", i), check)
		at(profile.ValidName(gate.Name) == nil, "name", "%q must be letters, digits, dots, dashes and underscores", gate.Name)
		at(!seen[gate.Name], "name", "%q is used twice", gate.Name)
		seen[gate.Name] = true
		checkHookURL(gate.URL, s.AllowInsecureHTTP, at)
		checkHookSecret(gate.Secret, at)
	}
}
