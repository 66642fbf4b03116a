package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/settings"
)

const healthcheckLong = `Ask the daemon on this machine whether it is ready, and end with 0 if it is and
1 if not: the health check of a container that has neither shell nor curl.

It reads the settings that sluice serve reads, so that in the daemon's own
container it needs no argument: the address is listen, and https is spoken where
tls_cert_file is set. What serve was given by flags it must be given too.`

const (
	healthcheckTimeout = 3 * time.Second // more than /readyz waits for its database
	maxProbe           = 64 << 10
)

func newHealthcheckCommand(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the daemon on this machine whether it is ready, for health checks of containers",
		Long:  healthcheckLong,
		Args:  nothing,
	}
	base := cmd.Flags().String("url", "", "ask the daemon at this `URL`, whatever the settings say")
	live := cmd.Flags().Bool("live", false, "ask whether it lives, not whether it can serve: /healthz in place of /readyz")
	timeout := cmd.Flags().Duration("timeout", healthcheckTimeout, "how long the answer may take")
	addSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p := probe{path: "/readyz", timeout: *timeout}
		if *live {
			p.path = "/healthz"
		}
		var err error
		p.base, p.own, err = healthcheckTarget(*base, func() (settings.Settings, error) { return loadSettings(cmd.Flags(), sh.getenv) })
		if err != nil {
			return notSo(err)
		}
		answer, err := p.ask(cmd.Context())
		if err != nil {
			// Its text alone: who runs a health check is not helped by a hint for people at a terminal.
			return notSo(fmt.Errorf("%s%s: %s", p.base, p.path, oneLine(err.Error())))
		}
		_, err = fmt.Fprintf(sh.stdout, "%s%s: %s\n", p.base, p.path, oneLine(answer))
		return err
	}
	return cmd
}

// healthcheckTarget is the URL to ask, and whether it is certain to be of this
// machine. The settings are not needed where a URL is given.
func healthcheckTarget(given string, load func() (settings.Settings, error)) (base string, own bool, err error) {
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return "", false, errors.New("--url must be like http://127.0.0.1:5000")
		}
		return strings.TrimRight(given, "/"), loopback(u.Hostname()), nil
	}
	conf, err := load()
	if err != nil {
		return "", false, err
	}
	host, port, err := net.SplitHostPort(conf.Listen)
	if err != nil || port == "0" {
		return "", false, fmt.Errorf("listen is %q, which names no port to ask at: give --url", conf.Listen)
	}
	scheme := "http"
	if conf.TLSCertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(reachable(host), port), true, nil
}

// reachable is where a daemon that listens on a host can be asked from its own machine.
func reachable(host string) string {
	address, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && address.IsUnspecified() && address.Is4():
		return "127.0.0.1"
	case err == nil && address.IsUnspecified():
		return "::1"
	}
	return host
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// probe is one question to the daemon.
type probe struct {
	base, path string
	own        bool // it goes to this machine
	timeout    time.Duration
}

// ask says what the daemon answered; an error when that is not that all is well.
func (p probe) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+p.path, http.NoBody)
	if err != nil {
		return "", err
	}
	client := http.Client{
		// No proxy: a probe that leaves the machine says nothing of the daemon on it. And the
		// certificate names the daemon as others reach it, so that here nobody could check it.
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: p.own}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no answer within %s", p.timeout)
	case err != nil:
		if failed, ok := errors.AsType[*url.Error](err); ok { // its text begins with the URL, which is said already
			err = failed.Err
		}
		return "", err
	}
	defer resp.Body.Close()
	return judge(resp.StatusCode, resp.Body)
}

// judge reads the answer of /readyz or /healthz.
func judge(status int, body io.Reader) (string, error) {
	var answer wire.Probe
	if err := json.NewDecoder(io.LimitReader(body, maxProbe)).Decode(&answer); err != nil || answer.Status == "" {
		return "", fmt.Errorf("answered %d, and not as Sluice does: something else listens there", status)
	}
	words := []string{answer.Status}
	for _, parts := range []map[string]string{answer.Unavailable, answer.Degraded} {
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			words = append(words, part+" "+parts[part])
		}
	}
	text := strings.Join(words, ", ")
	if status != http.StatusOK {
		return "", fmt.Errorf("answered %d, %s", status, text)
	}
	return text, nil
}
