package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/signature"
	"github.com/sluicehq/sluice/internal/testenv"
)

// hookSecret signs what the traffic hook is told; it is planted to be looked for.
const hookSecret = "canary-traffic-hook-secret-0123456789abcdef"

// edge is a load balancer that a traffic hook tells where requests go.
type edge struct {
	*httptest.Server
	t *testing.T

	mu   sync.Mutex
	told []string // groups, in order; the same one twice in a row is one
	away bool
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t}
	e.Server = httptest.NewServer(http.HandlerFunc(e.take))
	t.Cleanup(e.Close)
	return e
}

func (e *edge) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		e.t.Error(err)
	}
	if err := signature.Verify(r.Header, []byte(hookSecret), raw, time.Now()); err != nil {
		e.t.Errorf("the switch is not signed: %v", err)
	}
	var body struct {
		Type string `json:"type"`
		Data struct {
			ConfigName  string `json:"configName"`
			ActiveGroup string `json:"activeGroup"`
			Revision    int    `json:"revision"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &body); err != nil || body.Type != "traffic.switch" || body.Data.ConfigName != shop || body.Data.Revision == 0 {
		e.t.Errorf("the hook was told %s: %v", raw, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	e.told = slices.Compact(append(e.told, body.Data.ActiveGroup))
}

func (e *edge) be(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = away
}

func (e *edge) groups() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.told, " ")
}

// twoGroups is the shop as a BlueGreen.
func twoGroups(data string) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: shop
environment: Staging
strategy: {type: BlueGreen, verificationPeriod: 300ms, keepBlueDuration: 2s, trafficHook: edge, progressDeadline: 10m}
health: {checkInterval: 1s, errorRateThreshold: 5}
data: {%s}
`, shop, data)
}

// BlueGreen by the real program: the hook, the instances and the commit agree at
// every turn, through a kill and an edge that is away, and back.
func TestBlueGreen(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	s := empty(t, testenv.Binary(t), func(s *stage) {
		file := filepath.Join(filepath.Dir(s.log), "sluice.yaml")
		text := fmt.Sprintf("allow_insecure_http: true\ntraffic_hooks:\n  - {name: edge, url: %q, secret: %s}\n", e.URL, hookSecret)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = append(s.args, "--config", file)
		s.first = s.commit("Open the shop", twoGroups("greeting: hello"))
	})
	s.concludes(s.first, "Completed")
	s.fleet = joinAs(t, s.url(), "shop", members, func(i int) string { return []string{"blue", "green"}[i%2] })
	s.everywhere("1.0.0")

	e.be(true)
	good := s.commit("Greet warmly", twoGroups("greeting: servus"))
	d := s.reaches(good, "the traffic hook to be waited for", func(d wire.Deployment) bool {
		return d.Awaiting == "Traffic" && strings.Contains(d.Explanation, "503")
	})
	if d.PhaseName != "traffic on green" || d.Percent != 50 || s.fleet.running("1.0.1") != members/2 {
		t.Errorf("it waits in %q at %d%%, with %d instances on it", d.PhaseName, d.Percent, s.fleet.running("1.0.1"))
	}
	s.kill()
	s.start()
	e.be(false)
	s.concludes(good, "Completed")
	s.everywhere("1.0.1")
	s.goesTo("green")
	if got := e.groups(); got != "green" {
		t.Errorf("the edge was told %q", got)
	}

	bad := s.commit("Greet badly", twoGroups("greeting: oops, failing: 60"))
	d = s.concludes(bad, "RolledBack")
	if !strings.Contains(d.RollbackReason, "error rate") || d.Phase != 2 {
		t.Errorf("rolled back in phase %d: %s", d.Phase, d.RollbackReason)
	}
	s.everywhere("1.0.1")
	s.goesTo("green")
	// A switch that was taken back before the edge was told of it is no news any more.
	if got := e.groups(); got != "green blue green" && got != "green" {
		t.Errorf("the edge was told %q", got)
	}
	for _, m := range s.fleet.members {
		if m.group == "green" && slices.ContainsFunc(m.history(), func(e entry) bool { return e.version == "1.0.2" }) {
			t.Errorf("%s of the group that was kept got the bad version", m.name)
		}
	}
	s.allPosted(bad)
	if c := s.status(bad, "sluice/"+shop); c.State != "failure" {
		t.Errorf("the commit says %s: %s", c.State, c.Description)
	}
	if strings.Contains(s.logs(), hookSecret) || strings.Contains(s.logs(), strings.TrimPrefix(e.URL, "http://")) {
		t.Error("the daemon's log shows the hook's secret or URL")
	}
}

// goesTo waits until every instance knows that requests go to a group.
func (s *scene) goesTo(group string) {
	s.t.Helper()
	defer func() {
		for _, m := range s.fleet.members {
			if s.t.Failed() && m.now().active != group {
				s.t.Logf("%s of %s: %+v", m.name, m.group, m.history())
			}
		}
	}()
	eventually(s.t, "every instance to know that requests go to "+group, func() bool {
		return !slices.ContainsFunc(s.fleet.members, func(m *member) bool { return m.now().active != group })
	})
}
