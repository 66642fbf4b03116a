package settings

import (
	"fmt"
	"log/slog"
	"net/url"

	"github.com/sluicehq/sluice/notify"
)

// TrafficHook is a load balancer, or a script before one, that BlueGreen
// strategies name as their trafficHook.
type TrafficHook struct {
	Name   string `key:"name" help:"short name; unique; strategies name it as trafficHook"`
	URL    Secret `key:"url" help:"where to post the switch to"`
	Secret Secret `key:"secret" help:"key of the signature, 32 bytes or more: whsec_ and base64, or any text"`
}

// LogValue shows the hook without its secrets.
func (h TrafficHook) LogValue() slog.Value { return logValue(h) }

// checkTrafficHooks checks the hooks; it never repeats a URL or a secret.
func (s Settings) checkTrafficHooks(check checker) {
	seen := map[string]bool{}
	for i, hook := range s.TrafficHooks {
		at := within(fmt.Sprintf("traffic_hooks[%d].", i), check)
		if err := notify.CheckName(hook.Name); err != nil {
			at(false, "name", "%s", err)
		}
		at(!seen[hook.Name], "name", "%q is used twice", hook.Name)
		seen[hook.Name] = true
		checkHookURL(hook.URL, s.AllowInsecureHTTP, at)
		checkHookSecret(hook.Secret, at)
	}
}

// checkHookURL checks a URL that is posted to.
func checkHookURL(raw Secret, insecure bool, check checker) {
	u, err := url.Parse(raw.Reveal())
	if raw == "" || err != nil || u.Host == "" {
		check(false, "url", "must be like https://hooks.example.com/..., by url or url_file")
		return
	}
	check(u.Scheme == "https" || u.Scheme == "http" && insecure, "url", "must begin with https://; http:// is not encrypted, allow_insecure_http allows it")
}

// Hooks are the traffic hooks, with their secrets.
func (s Settings) Hooks() []notify.Hook {
	hooks := make([]notify.Hook, len(s.TrafficHooks))
	for i, hook := range s.TrafficHooks {
		hooks[i] = notify.Hook{Name: hook.Name, URL: hook.URL.Reveal(), Secret: hook.Secret.Reveal()}
	}
	return hooks
}
