package measure_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/rollout/measure"
)

// split is where a server listens.
func split(t *testing.T, s *httptest.Server) (host string, port int) {
	t.Helper()
	host, text, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return host, port
}

func probe(probed ...rollout.Probed) rollout.Ask {
	return rollout.Ask{Name: rollout.ProbeMetric, Provider: rollout.ProbeProvider, Query: "/healthz?deep=1", Probed: probed}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	m := measurer(t, measure.Options{ProbeNetworks: loopback})
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	for name, c := range map[string]struct {
		handler  http.HandlerFunc
		failure  string
		attempts int32
	}{
		"well": {func(_ http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" || r.URL.String() != "/healthz?deep=1" {
				t.Errorf("asked %s %s", r.Method, r.URL)
			}
		}, "", 1},
		"ill":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "answered 500", 3},
		"led away":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, "answered 302, a redirect", 3},
		"cut off":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection was cut", 3},
		"much to say": {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { attempts.Add(1); c.handler(w, r) })
			host, port := split(t, s)
			got := one(t.Context(), m, probe(rollout.Probed{InstanceID: "i", Hostname: host, Port: port, Updated: true}))
			if len(got.Probes) != 1 || got.Err != "" {
				t.Fatalf("%+v", got)
			}
			p := got.Probes[0]
			if p.Err != "" || !strings.HasPrefix(p.Failure, c.failure) || c.failure == "" && p.Failure != "" || !p.Updated || p.InstanceID != "i" {
				t.Errorf("%+v", p)
			}
			if n := attempts.Load(); n != c.attempts {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// endless writes until nobody reads.
func endless(w http.ResponseWriter) {
	chunk := []byte(strings.Repeat("x", 32<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestProbesTryAgain(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	host, port := split(t, s)
	got := one(t.Context(), measurer(t, measure.Options{ProbeNetworks: loopback}), probe(rollout.Probed{Hostname: host, Port: port}))
	if len(got.Probes) != 1 || got.Probes[0].Failure != "" {
		t.Errorf("%+v", got)
	}
}

// Where a probe must not go it does not, by whatever name.
func TestProbesStayInTheirNetworks(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s reached it", r.Host) })
	_, port := split(t, s)
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	private := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		host    string
		allowed []netip.Prefix
		want    string
	}{
		{"127.0.0.1", private, "add its network to that setting"},
		{"localhost", private, "add its network to that setting"},
		{"127.0.0.1", all, "add its network to that setting"}, // this machine is named or it is not
		{"::1", all, "add its network to that setting"},
		{"::ffff:127.0.0.1", all, "add its network to that setting"},
		{"0.0.0.0", all, "never probed"},
		{"::", all, "never probed"},
		{"169.254.169.254", all, "never probed"},
		{"::ffff:169.254.169.254", all, "never probed"},
		{"fe80::1", all, "never probed"},
		{"100.100.100.200", all, "never probed"},
		{"fd00:ec2::254", all, "never probed"},
		{"8.8.8.8", private, "add its network to that setting"},
		{"no-such-host.invalid", all, "host name"},
		{"0x7f000001", all, ""},
		{"127.1", all, ""},
		{"a/b", all, "cannot be looked up"},
		{"user@127.0.0.1", all, "cannot be looked up"},
		{"127.0.0.1\r\nX: y", all, "cannot be looked up"},
		{"", all, "cannot be looked up"},
	} {
		m := measurer(t, measure.Options{ProbeNetworks: c.allowed})
		got := one(t.Context(), m, probe(rollout.Probed{Hostname: c.host, Port: port, Updated: true}))
		if len(got.Probes) != 1 || got.Probes[0].Err == "" || !strings.Contains(got.Probes[0].Err, c.want) {
			t.Errorf("%q: %+v", c.host, got)
		}
	}
	got := one(t.Context(), measurer(t, measure.Options{ProbeNetworks: all}), probe(rollout.Probed{Hostname: "127.0.0.1"}))
	if got.Probes[0].Err != "it registered without a port" {
		t.Errorf("without a port: %+v", got)
	}
}

// However many instances there are, only some are probed at once, and all of them are.
func TestProbesAreSpread(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	full := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 16 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-full // nobody is let go before sixteen are here
	})
	host, port := split(t, s)
	var probed []rollout.Probed
	for i := range 100 {
		probed = append(probed, rollout.Probed{InstanceID: fmt.Sprint(i), Hostname: host, Port: port})
	}
	got := one(t.Context(), measurer(t, measure.Options{ProbeNetworks: loopback}), probe(probed...))
	if len(got.Probes) != 100 || most.Load() > 16 {
		t.Errorf("%d were probed, %d at once", len(got.Probes), most.Load())
	}
	for _, p := range got.Probes {
		if p.Failure != "" || p.Err != "" {
			t.Fatalf("%+v", p)
		}
	}
}
