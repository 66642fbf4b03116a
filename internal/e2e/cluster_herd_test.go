package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// herdProfiles is how many profiles the replicas find when they start together.
const herdProfiles = 300

// Three replicas start together on a repository of many profiles, and again when
// all is done. One of them does the work, once; the remote is asked no more often
// than the poll interval says, whoever is busy, held up or just started.
func TestClusterStartsTogether(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	for i := range herdProfiles {
		name := fmt.Sprintf("service-%03d.staging", i)
		c.repo.Write(strings.ReplaceAll(name, ".", "/")+".yaml", named(name))
	}
	c.repo.Commit("Many profiles")
	c.repo.Push()
	var asked atomic.Int64 // for what the branch is at
	c.remote = serveGit(t, c.repo, func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info/refs") {
			asked.Add(1)
		}
	})
	herd := newClusterIn(c, testenv.Binary(t), 3, testenv.NewPostgres(t), "--source-poll-interval", "1s", "--allow-insecure-http")
	for range 2 {
		asked.Store(0)
		began := time.Now()
		herd.startAll()
		herd.api = signIn(t, herd.balancer.URL())
		eventually(t, "every profile to be deployed once", func() bool {
			page, err := herd.api.Deployments(t.Context(), client.DeploymentFilter{Status: "Completed", List: client.List{Limit: 1}})
			return err == nil && page.Total == herdProfiles
		})
		page, err := herd.api.Deployments(t.Context(), client.DeploymentFilter{List: client.List{Limit: 1}})
		if err != nil || page.Total != herdProfiles {
			t.Errorf("%d deployments were made (%v), want one for each of %d profiles", page.Total, err, herdProfiles)
		}
		// Each replica asks at its start and then at most every 0.9 s; what it finds
		// it fetches, which asks once more.
		most := int64(3 * (2 + int(time.Since(began)/(900*time.Millisecond)) + 1))
		if n := asked.Load(); n == 0 || n > most {
			t.Errorf("the remote was asked %d times, want at most %d", n, most)
		}
		for _, r := range herd.replicas {
			r.terminate()
		}
	}
	herd.verifies()
}

// serveGit serves a repository over HTTP, as forges do, and tells of each request.
func serveGit(t *testing.T, repo *testenv.Repo, told func(*http.Request)) (url string) {
	t.Helper()
	folder, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(folder)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repo.Bare), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told(r)
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/" + filepath.Base(repo.Bare)
}
