package e2e_test

import (
	"bytes"
	"context"
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

// emergencyEnv makes the flood of the API a benchmark: how long it lasts
// (make bench/emergency).
const emergencyEnv = "SLUICE_API_FLOOD"

// crush is how hard the API is pressed.
type crush struct {
	lasts     time.Duration
	callers   int // that ask all the time
	rollbacks int // meanwhile
}

func crushOf(t *testing.T) crush {
	t.Helper()
	text := os.Getenv(emergencyEnv)
	if text == "" { // beside other tests
		return crush{lasts: time.Second, callers: 12, rollbacks: 4}
	}
	lasts, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", emergencyEnv, err)
	}
	return crush{lasts: lasts, callers: 64, rollbacks: 100}
}

// While a crowd asks for everything that the API has, with and without the right
// to it, and neither the forge nor the metrics backend nor Redis is there, people
// pause and roll back.
func TestEmergencyDoorUnderAFlood(t *testing.T) {
	t.Parallel()
	f := crushOf(t)
	aside := func(t *testing.T) {
		if os.Getenv(emergencyEnv) == "" { // one at a time when it is measured
			t.Parallel()
		}
	}
	t.Run("embedded", func(t *testing.T) {
		aside(t)
		sc := newScene(t)
		before, after := sc.twoCommits(f.rollbacks)
		s := &stage{scene: sc}
		s.daemon = newDaemon(t, testenv.Binary(t), away(t, sc)...)
		s.start()
		s.api = s.signIn()
		s.canPauseAndRollBack(f, []string{s.url()}, before, after)
		s.stop()
	})
	t.Run("cluster", func(t *testing.T) {
		aside(t)
		sc := newScene(t)
		before, after := sc.twoCommits(f.rollbacks)
		c := newClusterIn(sc, testenv.Binary(t), 2, testenv.NewPostgres(t), away(t, sc)...)
		c.startAll()
		c.api = signIn(t, c.balancer.URL())
		c.redis.Kill(t)
		c.canPauseAndRollBack(f, []string{c.replicas[0].url(), c.replicas[1].url()}, before, after)
	})
}

// away names a Prometheus and a forge where nobody is, which the profiles'
// commits and the canary's gate ask.
func away(t *testing.T, sc scene) []string {
	t.Helper()
	return []string{hooked(t, "file://"+sc.repo.Bare, "200ms", ""), "--prometheus-url", deadForge(t), "--prometheus-timeout", "1s"}
}

// twoCommits make two versions of n profiles, and of the shop, whose second one
// waits in its canary for what only Prometheus could tell. They are pushed by the
// functions that it returns, which give the commit.
func (s *scene) twoCommits(n int) (before, after func() string) {
	write := func(greeting string) string {
		for i := range n {
			name := fmt.Sprintf("service-%03d.staging", i)
			s.repo.Write(strings.ReplaceAll(name, ".", "/")+".yaml", strings.Replace(named(name), "hello", greeting, 1))
		}
		content := strings.Replace(shopWith("phaseInterval: 1h", "greeting: "+greeting), "errorRateThreshold: 5",
			`errorRateThreshold: 5, metrics: [{name: paid, query: 'sum(paid)', min: 1}]`, 1)
		return s.commit("Greet with "+greeting, content)
	}
	return func() string { return write("hello") }, func() string { return write("servus") }
}

// othersEnded waits until every deployment of a commit but the shop's has ended, and
// returns their IDs.
func (s *scene) othersEnded(commit string, n int) (ids []string) {
	s.t.Helper()
	eventually(s.t, "the deployments of "+commit, func() bool {
		page, err := s.api.Deployments(s.t.Context(), client.DeploymentFilter{List: client.List{Limit: 500}, Commit: commit})
		if err != nil {
			return false
		}
		ids = nil
		for _, d := range page.Items {
			if d.ConfigName != shop && final(d.Status) {
				ids = append(ids, d.ID)
			}
		}
		return len(ids) == n
	})
	return ids
}

func (s *scene) canPauseAndRollBack(f crush, servers []string, before, after func() string) {
	t := s.t
	t.Helper()
	first := before()
	s.othersEnded(first, f.rollbacks)
	s.fleet = join(t, servers[0], "shop", 4)
	s.concludes(first, "Completed")
	next := after()
	ids := s.othersEnded(next, f.rollbacks)
	canary := s.reaches(next, "the canary to be on its way", func(d wire.Deployment) bool { return d.Status == "InProgress" && d.Phase == 1 })

	crowd, err := s.api.CreateToken(t.Context(), wire.TokenRequest{Name: "crowd", Role: "Admin"})
	if err != nil {
		t.Fatal(err)
	}
	flood := &inundation{t: t, servers: servers, token: crowd.Token}
	flood.begin(f.callers)
	var took []time.Duration
	timed := func(what string, do func() error) {
		start := time.Now()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		took = append(took, time.Since(start))
	}
	timed("pause", func() error { _, err := s.api.PauseDeployment(t.Context(), canary.ID, "look"); return err })
	pace := time.NewTicker(f.lasts / time.Duration(len(ids)+1))
	defer pace.Stop()
	for _, id := range ids {
		<-pace.C
		timed("rollback", func() error { _, err := s.api.RollbackDeployment(t.Context(), id, "it hurts"); return err })
	}
	timed("rollback of the canary", func() error { _, err := s.api.RollbackDeployment(t.Context(), canary.ID, "it hurts"); return err })
	s.everywhere("1.0.0")
	asked := flood.end()

	slices.Sort(took)
	t.Logf("%s of the flood; %d orders meanwhile: p50 %s, p95 %s, p99 %s", asked, len(took),
		percentile(took, 50), percentile(took, 95), percentile(took, 99))
	s.concludes(next, "RolledBack")
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100].Round(time.Millisecond / 10)
}

// inundation is a crowd that asks the API for whatever it has.
type inundation struct {
	t       *testing.T
	servers []string
	token   string

	stop  context.CancelFunc
	group sync.WaitGroup
	began time.Time
	mu    sync.Mutex
	got   map[int]int // answers by status
}

// requests are one after the other what each of the crowd asks.
var requests = []struct{ method, path, token, body string }{
	{"GET", "/api/v1/configs?limit=500", "admin", ""},
	{"GET", "/api/v1/audit?limit=500", "admin", ""},
	{"GET", "/api/v1/deployments?limit=500", "admin", ""},
	{"POST", "/api/v1/authentication/login", "", `{"username": "admin", "password": "a wrong password"}`},
	{"POST", "/api/v1/deployments/none/rollback", "slt_made-up", `{"reason": "none"}`},
	{"POST", "/api/v1/deployments/none/pause", "admin", `{}`},
	{"POST", "/api/v1/tokens", "admin", `{"name": "one of many", "role": "Viewer"}`},
	{"GET", "/metrics", "", ""},
	{"GET", "/api/v1/instances?limit=500", "slt_made-up", ""},
}

func (f *inundation) begin(callers int) {
	ctx, stop := context.WithCancel(f.t.Context())
	f.stop, f.got, f.began = stop, map[int]int{}, time.Now()
	for i := range callers {
		f.group.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if status := f.ask(ctx, n); status != 0 {
					f.mu.Lock()
					f.got[status]++
					f.mu.Unlock()
				}
			}
		})
	}
}

// ask sends the nth request; 0 when it got no answer, as in the end.
func (f *inundation) ask(ctx context.Context, n int) int {
	r := requests[n%len(requests)]
	req, err := http.NewRequestWithContext(ctx, r.method, f.servers[n/len(requests)%len(f.servers)]+r.path, bytes.NewReader([]byte(r.body)))
	if err != nil {
		f.t.Error(err)
		return 0
	}
	switch r.token {
	case "":
	case "admin":
		req.Header.Set("Authorization", "Bearer "+f.token)
	default:
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body) //nolint:errcheck // the status is all that is wanted
	return resp.StatusCode
}

// end ends it and says what it was.
func (f *inundation) end() string {
	f.stop()
	f.group.Wait()
	total := 0
	for _, n := range f.got {
		total += n
	}
	if total == 0 {
		f.t.Error("there was no flood")
	}
	return fmt.Sprintf("%d requests (%.0f/s, answers %v)", total, float64(total)/time.Since(f.began).Seconds(), f.got)
}
