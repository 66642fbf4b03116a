package browsertest_test

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

const (
	shop     = "shop.staging"
	shopFile = "shop/staging.yaml"
	members  = 4
)

// stage is one repository, one daemon that watches it, and one fleet.
type stage struct {
	*testenv.Daemon
	t     *testing.T
	repo  *testenv.Repo
	api   *client.Client // in the name of admin
	fleet *fleet
}

// automatic and byHand are the two ways from one phase to the next.
const (
	automatic = "phaseInterval: 200ms"
	byHand    = "phaseInterval: 200ms, autoPromote: false"
)

// shopWith is the shop's profile with some values.
func shopWith(pace, data string) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: shop
environment: Staging
strategy: {type: Canary, steps: [25, 50, 100], progressDeadline: 10m, %s}
health: {checkInterval: 1s, errorRateThreshold: 5}
data: {%s}
`, shop, pace, data)
}

// perform sets a stage on which version 1.0.0 completed on every instance.
func perform(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, repo: testenv.NewRepo(t)}
	first := s.commit("Open the shop", automatic, "greeting: hello")
	s.Daemon = testenv.NewDaemon(t, "--allow-file-urls", "--source-id", "configs", "--source-url", "file://"+s.repo.Bare)
	s.api = s.as("admin", testenv.AdminPassword)
	s.fleet = join(t, s.URL(), members)
	s.everywhere("1.0.0")
	s.completes(s.deployed(first).ID)
	return s
}

// as is a client of the API in somebody's name.
func (s *stage) as(user, password string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Server: s.URL()})
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := c.Login(s.t.Context(), user, password)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.WithToken(session.Token)
}

// commit pushes a new content of the shop's profile.
func (s *stage) commit(message, pace, data string) string {
	s.t.Helper()
	s.repo.Write(shopFile, shopWith(pace, data))
	sha := s.repo.Commit(message)
	s.repo.Push()
	return sha
}

// deployed waits for the deployment that a commit made.
func (s *stage) deployed(commit string) wire.Deployment {
	s.t.Helper()
	var found []wire.Deployment
	eventually(s.t, "a deployment of "+commit, func() bool {
		page, err := s.api.Deployments(s.t.Context(), client.DeploymentFilter{Commit: commit})
		if err != nil {
			s.t.Fatal(err)
		}
		found = page.Items
		return len(found) > 0
	})
	return found[0]
}

// reaches waits until a deployment is as cond says, and returns it.
func (s *stage) reaches(id, what string, cond func(wire.Deployment) bool) (d wire.Deployment) {
	s.t.Helper()
	eventually(s.t, "deployment "+id+" to be "+what, func() bool {
		var err error
		if d, err = s.api.Deployment(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		return cond(d)
	})
	return d
}

// completes waits until a deployment has ended well.
func (s *stage) completes(id string) wire.Deployment {
	s.t.Helper()
	return s.reaches(id, "Completed", func(d wire.Deployment) bool { return d.Status == "Completed" })
}

// awaits waits until a deployment stands after a phase and wants to be promoted.
func (s *stage) awaits(id string, phase int) wire.Deployment {
	s.t.Helper()
	return s.reaches(id, fmt.Sprintf("waiting after phase %d", phase), func(d wire.Deployment) bool {
		return d.Awaiting == "Promotion" && d.Phase == phase
	})
}

// promote sends a deployment on after a phase.
func (s *stage) promote(id string, phase int) {
	s.t.Helper()
	s.awaits(id, phase)
	if _, err := s.api.PromoteDeployment(s.t.Context(), id, ""); err != nil {
		s.t.Fatal(err)
	}
}

// everywhere waits until every instance runs the version.
func (s *stage) everywhere(version string) {
	s.t.Helper()
	eventually(s.t, "every instance to run "+version, func() bool { return s.fleet.running(version) == members })
}

// tab opens a tab on the daemon's pages.
func (s *stage) tab(t *testing.T, opts testenv.TabOptions) *testenv.Tab {
	t.Helper()
	opts.Site = s.URL()
	return testenv.SharedBrowser(t).Tab(t, opts)
}

// signedIn opens a tab for admin, who comes to a page by way of signing in.
func (s *stage) signedIn(t *testing.T, path string, opts testenv.TabOptions) *testenv.Tab {
	t.Helper()
	tab := s.tab(t, opts)
	tab.Open(path)
	enter(tab, "admin", testenv.AdminPassword)
	tab.WaitPath(path, patience)
	return tab
}

// enter fills in the page to sign in on.
func enter(tab *testenv.Tab, user, password string) {
	tab.Fill("User", user)
	tab.Fill("Password", password)
	tab.Click("button", "Sign in")
}
