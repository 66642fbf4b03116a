package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// latencyEnv makes the latencies a benchmark, as docs/api.md has them (make bench/api).
const latencyEnv = "SLUICE_API_LATENCY"

// endpoints are those whose latency has floors: p50, p95 and p99 in milliseconds.
var endpoints = []struct {
	name   string
	floors [3]int
	status int
	ask    func(p *pressed, n int) (method, path, body string)
}{
	{"POST configs", [3]int{50, 100, 200}, 201, func(_ *pressed, n int) (method, path, body string) {
		return "POST", "/configs", fmt.Sprintf(`{"name": "made-%d.dev", "environment": "Development", "defaultStrategy": "Direct"}`, n)
	}},
	{"POST deployments", [3]int{100, 200, 500}, 201, func(_ *pressed, n int) (method, path, body string) {
		return "POST", "/deployments", fmt.Sprintf(`{"configName": "made-%d.dev", "configVersion": "1.0.0"}`, n)
	}},
	{"GET config", [3]int{20, 50, 100}, 200, func(p *pressed, n int) (method, path, body string) {
		return "GET", "/configs/" + p.active[n%len(p.active)].ConfigName, ""
	}},
	{"GET deployment", [3]int{30, 60, 120}, 200, func(p *pressed, n int) (method, path, body string) {
		return "GET", "/deployments/" + p.active[n%len(p.active)].ID, ""
	}},
}

// pressed is a daemon with deployments under way.
type pressed struct {
	t      *testing.T
	server string
	token  string
	active []wire.Deployment
}

// The four endpoints that have floors, while a hundred canaries are under way.
func TestLatencyUnderConcurrentDeployments(t *testing.T) {
	t.Parallel()
	canaries, times := 4, 8 // enough to see that it works
	if os.Getenv(latencyEnv) != "" {
		canaries, times = 100, 500
	}
	sc := newScene(t)
	s := &stage{t: t, scene: sc}
	args := s.sourceArgs()
	if os.Getenv(latencyEnv) == "postgres" {
		s.database = testenv.NewPostgres(t).CreateDatabase(t, "")
		args = append(args, "--database-url", s.database, "--migrate=true", "--redis-url", "redis://"+testenv.NewRedis(t).Addr()+"/0")
	}
	s.daemon = newDaemon(t, testenv.Binary(t), args...)
	s.start()
	s.api = s.signIn()
	p := &pressed{t: t, server: s.url(), active: s.canariesUnderWay(canaries)}
	token, err := s.api.CreateToken(t.Context(), wire.TokenRequest{Name: "bench", Role: "Admin"})
	if err != nil {
		t.Fatal(err)
	}
	p.token = token.Token
	for _, e := range endpoints {
		if e.name == "POST deployments" {
			for n := range times {
				p.ask(201, "POST", fmt.Sprintf("/configs/made-%d.dev/versions", n), `{"version": "1.0.0", "configData": {"timeout": "30s"}}`)
			}
		}
		took := p.measure(times, func(n int) time.Duration {
			method, path, body := e.ask(p, n)
			return p.ask(e.status, method, path, body)
		})
		t.Logf("%-17s p50 %8s  p95 %8s  p99 %8s   (floors %d, %d, %d ms)", e.name,
			percentile(took, 50), percentile(took, 95), percentile(took, 99), e.floors[0], e.floors[1], e.floors[2])
	}
	for _, d := range p.active {
		if now, err := s.api.Deployment(t.Context(), d.ID); err != nil || now.Status != "InProgress" {
			t.Errorf("deployment %s is %s, %v: it was not under way all the time", d.ID, now.Status, err)
		}
	}
}

// canariesUnderWay starts n canaries of two instances each, which wait for a person.
func (s *stage) canariesUnderWay(n int) []wire.Deployment {
	t := s.t
	t.Helper()
	write := func(greeting string) string {
		for i := range n {
			name := fmt.Sprintf("service-%03d.staging", i)
			s.repo.Write(strings.ReplaceAll(name, ".", "/")+".yaml", strings.NewReplacer("hello", greeting,
				"strategy: {type: Direct}", "strategy: {type: Canary, steps: [50, 100], phaseInterval: 100ms, autoPromote: "+fmt.Sprint(greeting == "hello")+"}",
			).Replace(named(name)))
		}
		sha := s.repo.Commit("Greet with " + greeting)
		s.repo.Push()
		return sha
	}
	for i := range n {
		join(t, s.url(), fmt.Sprintf("service-%03d", i), 2)
	}
	all := func(commit, what string, is func(d wire.Deployment) bool) (found []wire.Deployment) {
		eventually(t, what, func() bool {
			page, err := s.api.Deployments(t.Context(), client.DeploymentFilter{List: client.List{Limit: 500}, Commit: commit})
			if err != nil || page.Total != n {
				return false
			}
			found = page.Items
			return !slices.ContainsFunc(found, func(d wire.Deployment) bool { return !is(d) })
		})
		return found
	}
	all(write("hello"), "the first versions to run", func(d wire.Deployment) bool { return d.Status == "Completed" })
	return all(write("servus"), "the canaries to wait", func(d wire.Deployment) bool { return d.Awaiting == "Promotion" })
}

// measure asks n times, by four callers at once, and gives how long each took, sorted.
func (p *pressed) measure(n int, ask func(n int) time.Duration) []time.Duration {
	took := make([]time.Duration, n)
	turn := make(chan int)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range turn {
				took[i] = ask(i)
			}
		})
	}
	for i := range n {
		turn <- i
	}
	close(turn)
	group.Wait()
	slices.Sort(took)
	return took
}

// ask makes one request and gives how long it took until the whole answer was there.
func (p *pressed) ask(want int, method, path, body string) time.Duration {
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.server+"/api/v1"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		p.t.Errorf("%s %s: %d, want %d, %v: %s", method, path, resp.StatusCode, want, err, raw)
	}
	return time.Since(start)
}
