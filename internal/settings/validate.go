package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validate checks what can be checked without looking at the machine. The
// error names each field at fault.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(field+": "+format, args...))
		}
	}
	_, _, err := net.SplitHostPort(s.Listen)
	check(err == nil, "listen", "%q is not an address, write :5000 or 127.0.0.1:5000", s.Listen)
	check(s.Role == RoleAll || s.Role == RoleWatch, "role", "%q is not all or watch", s.Role)
	check(s.PprofListen == "" || loopback(s.PprofListen), "pprof_listen",
		"%q is not an address of this machine alone, write 127.0.0.1:6060; from elsewhere come by ssh -L or kubectl port-forward", s.PprofListen)
	if s.ExternalURL != "" {
		u, err := url.Parse(s.ExternalURL)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "",
			"external_url", "must be like https://sluice.example.com, without user, path or query: the dashboard is at the root of its host")
	}
	check(slices.Contains([]string{"auto", "true", "false"}, s.Migrate), "migrate", "%q is not auto, true or false", s.Migrate)
	check(s.DatabaseConnections >= 2 && s.DatabaseConnections <= 1000, "database_connections", "%d is not between 2 and 1000", s.DatabaseConnections)
	check(s.DataDir != "", "data_dir", "must not be empty")
	check(s.RedisCAFile == "" || s.RedisURL != "", "redis_ca_file", "is of no use without redis_url")
	check(s.MinPollInterval > 0, "min_poll_interval", "must be above zero")
	check(s.MinPollInterval <= s.MaxPollInterval, "min_poll_interval", "%s is above max_poll_interval %s", s.MinPollInterval, s.MaxPollInterval)
	check(s.inPollBounds(s.PollInterval), "poll_interval", "%s is not between %s and %s", s.PollInterval, s.MinPollInterval, s.MaxPollInterval)
	check(s.MaxConfigSize >= 1<<10 && s.MaxConfigSize <= 16<<20, "max_config_size", "%s is not between 1KiB and 16MiB", s.MaxConfigSize)
	check(s.MaxWebhookSize >= 64<<10 && s.MaxWebhookSize <= 25<<20, "max_webhook_size", "%s is not between 64KiB and 25MiB", s.MaxWebhookSize)
	s.checkStrength(check)
	s.checkSignIn(check)
	s.checkLimits(check)
	check(slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel), "log_level", "%q is not debug, info, warn or error", s.LogLevel)
	check(slices.Contains([]string{"json", "text"}, s.LogFormat), "log_format", "%q is not json or text", s.LogFormat)
	check(s.ShutdownTimeout > 0 && s.ShutdownTimeout <= 10*time.Minute, "shutdown_timeout", "%s is not between 0 and 10m", s.ShutdownTimeout)
	check(s.ShutdownDelay >= 0 && s.ShutdownDelay <= 10*time.Minute, "shutdown_delay", "%s is not between 0 and 10m", s.ShutdownDelay)
	check(s.RetentionVersions >= 10, "retention_versions", "%d is below 10", s.RetentionVersions)
	check(s.RetentionAge >= day, "retention_age", "%s is below 1d", s.RetentionAge)
	check(s.AuditRetention >= s.RetentionAge, "audit_retention", "%s is below retention_age %s: what is kept would have no history",
		s.AuditRetention, s.RetentionAge)
	for _, cidr := range s.TrustedProxies {
		_, err := netip.ParsePrefix(cidr)
		check(err == nil, "trusted_proxies", "%q is not a network, write 10.0.0.0/8", cidr)
	}
	s.checkProviders(check)
	s.checkSecrets(check)
	s.Snapshots.check(s.AllowInsecureHTTP, within("snapshots.", check))
	seen := map[string]bool{}
	for i, source := range s.Sources {
		name := fmt.Sprintf("sources[%d]", i)
		check(!seen[source.ID], name+".id", "%q is used twice", source.ID)
		seen[source.ID] = true
		s.checkSource(source, func(ok bool, field, format string, args ...any) {
			check(ok, name+"."+field, format, args...)
		})
	}
	s.checkTrafficHooks(check)
	s.Notifications.check(s.AllowInsecureHTTP, func(ok bool, field, format string, args ...any) {
		check(ok, "notifications."+field, format, args...)
	})
	return errors.Join(errs...)
}

// loopback tells whether only this machine reaches an address. A name is none:
// what it means is decided elsewhere.
func loopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback()
}

func (s Settings) inPollBounds(d time.Duration) bool {
	return d >= s.MinPollInterval && d <= s.MaxPollInterval
}

var (
	sourceID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	scpURL   = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^/].*$`)
)

type checker func(ok bool, field, format string, args ...any)

func (s Settings) checkSource(source Source, check checker) {
	check(sourceID.MatchString(source.ID), "id", "%q must be lower-case letters, digits, dots, dashes and underscores, at most 63", source.ID)
	s.checkSourceURL(source.URL, check)
	check(source.Branch != "" && !strings.HasPrefix(source.Branch, "-"), "branch", "%q is not a branch", source.Branch)
	p := source.Path
	clean := path.Clean(p)
	check(p == "" || !path.IsAbs(p) && clean != ".." && !strings.HasPrefix(clean, "../"), "path", "%q must be a folder inside the repository", p)
	check(s.inPollBounds(source.PollInterval), "poll_interval", "%s is not between %s and %s", source.PollInterval, s.MinPollInterval, s.MaxPollInterval)
	s.checkForge(source, within("forge.", check))
	check(source.HoldPolicy == "newer-content" || source.HoldPolicy == "release-only", "hold_policy", "%q is not newer-content or release-only", source.HoldPolicy)
	check(!source.OpenRevertPullRequest || source.Forge.Type != "local", "open_revert_pull_request", "needs a forge that has pull requests")
	check(source.Auth.Token == "" || source.Auth.SSHKeyFile == "", "auth", "has a token and an ssh key, give one")
	source.checkSigning(check)
	check(source.Auth.SSHKeyFile == "" || source.Auth.KnownHostsFile != "", "auth.known_hosts_file", "is needed with ssh_key_file: the server's key is always checked")
}

// checkSourceURL never repeats the URL: it may hold a password.
func (s Settings) checkSourceURL(raw string, check checker) {
	if scpURL.MatchString(raw) {
		return
	}
	u, err := url.Parse(raw)
	if raw == "" || err != nil {
		check(false, "url", "must be like https://git.example.com/acme/configs.git")
		return
	}
	_, password := u.User.Password()
	check(!password && (u.User == nil || u.Scheme == "ssh"), "url", "has a user or password in it: use auth")
	check(u.RawQuery == "" && u.Fragment == "", "url", "must not have a query")
	switch u.Scheme {
	case "https", "ssh":
		check(u.Host != "", "url", "has no host")
	case "http":
		check(s.AllowInsecureHTTP, "url", "http:// is not encrypted; allow_insecure_http allows it")
	case "file", "":
		check(s.AllowFileURLs, "url", "is on this machine; allow_file_urls allows it")
	default:
		check(false, "url", "%s:// is not supported, use https:// or ssh://", u.Scheme)
	}
}
