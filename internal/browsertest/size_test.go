package browsertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// sizeEnv says how many instances and profiles TestManyOfEverything has, as in
// 1000x10000 (make bench/dashboard): timing decides nothing, here as elsewhere.
const sizeEnv = "SLUICE_DASHBOARD_SIZE"

// paint is how a page came to be seen, in milliseconds since it was asked for.
type paint struct {
	Answered, Painted, Bytes float64
}

// painted opens a page and reads what the browser measured.
func painted(tab *testenv.Tab, path, words string) (p paint) {
	tab.Open(path)
	tab.WaitText("main", words, patience)
	tab.Wait(path+" to be painted", patience, func() bool {
		var painted bool
		tab.Eval("performance.getEntriesByName('first-contentful-paint').length > 0", &painted)
		return painted
	})
	tab.Eval(`(() => {
		const n = performance.getEntriesByType('navigation')[0], f = performance.getEntriesByName('first-contentful-paint')[0];
		return {Answered: n.responseEnd, Painted: f ? f.startTime : 0, Bytes: n.decodedBodySize};
	})()`, &p)
	return p
}

// Many instances and profiles are all there, on pages that follow a deployment
// through them.
func TestManyOfEverything(t *testing.T) {
	t.Parallel()
	instances, profiles := 150, 300
	if size := os.Getenv(sizeEnv); size != "" {
		if _, err := fmt.Sscanf(size, "%dx%d", &instances, &profiles); err != nil || profiles < 300 {
			t.Fatalf("%s=%s: want INSTANCESxPROFILES, with at least 300 profiles", sizeEnv, size)
		}
	}
	s := &stage{t: t, repo: testenv.NewRepo(t)}
	for i := range profiles - 1 {
		s.repo.Write(fmt.Sprintf("many/%05d.yaml", i), manyWith(i))
	}
	first := s.calmly("Open the shop, beside many others", automatic, "greeting: hello")
	s.Daemon = testenv.NewDaemon(t, "--allow-file-urls", "--source-id", "configs", "--source-url", "file://"+s.repo.Bare)
	s.api = s.as("admin", testenv.AdminPassword)
	within(t, 10*time.Minute, "all profiles", func() bool {
		page, err := s.api.Configs(t.Context(), client.ConfigFilter{})
		return err == nil && page.Total == profiles
	})
	id := s.deployed(first).ID
	within(t, 10*time.Minute, "the first deployment, behind all others", func() bool {
		d, err := s.api.Deployment(t.Context(), id)
		return err == nil && d.Status == "Completed"
	})
	within(t, 10*time.Minute, "an end of all first deployments", func() bool {
		page, err := s.api.Deployments(t.Context(), client.DeploymentFilter{Status: "Completed"})
		return err == nil && page.Total == profiles
	})
	s.simulate(instances)
	eventually(t, "every instance on 1.0.0", func() bool {
		page, err := s.api.Instances(t.Context(), client.InstanceFilter{ConfigVersion: "1.0.0"})
		return err == nil && page.Total == instances
	})
	tab := s.signedIn(t, "/", testenv.TabOptions{})
	for _, page := range []struct{ path, words string }{
		{"/", "Last 24 hours"}, {"/profiles", "many-00000.staging"}, {"/profiles?q=many-00298", "many-00298"}, {"/instances", "simulated-00001"}, {"/profiles/" + shop, shop},
	} {
		p := painted(tab, page.path, page.words)
		t.Logf("%-32s answered after %4.0f ms, painted after %4.0f ms, %4.0f KB", page.path, p.Answered, p.Painted, p.Bytes/1024)
	}

	d := s.deployed(s.calmly("Greet with moin", byHand, "greeting: moin"))
	s.awaits(d.ID, 1)
	p := painted(tab, "/deployments/"+d.ID, shop)
	t.Logf("%-32s answered after %4.0f ms, painted after %4.0f ms, %4.0f KB", "/deployments/ID", p.Answered, p.Painted, p.Bytes/1024)
	var cells int
	tab.Eval("document.querySelectorAll('.grid .cell').length", &cells)
	if cells != instances {
		t.Errorf("%d cells, want %d", cells, instances)
	}
	stays := keep(tab)
	tab.Eval("window.longest = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); }).observe({type: 'longtask'})", nil)
	for phase, share := range []int{50, 100} {
		s.promote(d.ID, phase+1)
		want := fmt.Sprintf("%d run 1.0.1", (instances*share+99)/100)
		begun := time.Now()
		tab.WaitText("main", want, patience)
		t.Logf("%d %% are seen %d ms after they were promoted", share, time.Since(begun).Milliseconds())
	}
	var longest float64
	tab.Eval("window.longest", &longest)
	t.Logf("the page worked for %.0f ms at once at most (0: less than 50)", longest)
	stays(t)
}

// calmly commits the shop with checks as far apart as people have them: with one a
// second, a thousand instances on this machine do nothing but report.
func (s *stage) calmly(message, pace, data string) string {
	s.t.Helper()
	s.repo.Write(shopFile, strings.Replace(shopWith(pace, data), "checkInterval: 1s", "checkInterval: 10s", 1))
	sha := s.repo.Commit(message)
	s.repo.Push()
	return sha
}

// manyWith is one of many profiles that nobody runs.
func manyWith(i int) string {
	return strings.NewReplacer("NAME", fmt.Sprintf("many-%05d", i)).Replace(`apiVersion: sluice/v1
kind: ConfigProfile
name: NAME.staging
service: NAME
environment: Staging
data: {greeting: hello}
`)
}

// simulate joins instances without a program; they leave with the test.
func (s *stage) simulate(n int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- agent.Simulate(ctx, agent.Simulation{
			Session: client.SessionOptions{
				Server: s.URL(), RegistrationToken: testenv.RegistrationToken, Service: "shop", Environment: "Staging",
				MaxHeartbeat: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
			},
			Profile: shop, Instances: n, Behaviour: agent.Usual(),
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
}
