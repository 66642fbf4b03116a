package e2e_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// scene is one repository, one fleet and the API between them, whatever serves it.
type scene struct {
	t        *testing.T
	repo     *testenv.Repo
	api      *client.Client
	fleet    *fleet
	first    string        // commit of the first version, which every instance runs at the start
	database string        // URL of the database behind the API
	remote   string        // URL of the repository; empty is its folder
	settings string        // file that names the sources instead
	ahead    time.Duration // of this machine's clock, the database's is
}

func newScene(t *testing.T) scene {
	t.Helper()
	return scene{t: t, repo: testenv.NewRepo(t), fleet: &fleet{}}
}

// sourceArgs make a daemon watch the repository.
func (s *scene) sourceArgs() []string {
	if s.settings != "" {
		return []string{"--config", s.settings}
	}
	return []string{"--allow-file-urls", "--source-id", "configs", "--source-url", cmp.Or(s.remote, "file://"+s.repo.Bare)}
}

// commit pushes a new content of the shop's profile.
func (s *scene) commit(message, content string) string {
	s.t.Helper()
	s.repo.Write(shopFile, content)
	sha := s.repo.Commit(message)
	s.repo.Push()
	return sha
}

// deployments lists the shop's, oldest first.
func (s *scene) deployments(f client.DeploymentFilter) []wire.Deployment {
	s.t.Helper()
	f.ConfigName, f.Limit = shop, 200
	var out []wire.Deployment
	for more := true; more; f.Offset += f.Limit {
		page, err := s.api.Deployments(s.t.Context(), f)
		if err != nil {
			s.t.Fatal(err)
		}
		out, more = append(out, page.Items...), page.HasMore
	}
	slices.Reverse(out)
	return out
}

// deployed waits for the deployment that a commit made.
func (s *scene) deployed(commit string) wire.Deployment {
	s.t.Helper()
	var found []wire.Deployment
	eventually(s.t, "a deployment of "+commit, func() bool {
		found = s.deployments(client.DeploymentFilter{Commit: commit})
		return len(found) > 0
	})
	return found[0]
}

// reaches waits until the deployment of a commit is as cond says, and returns it.
func (s *scene) reaches(commit, what string, cond func(wire.Deployment) bool) wire.Deployment {
	s.t.Helper()
	id := s.deployed(commit).ID
	var d wire.Deployment
	eventually(s.t, what, func() bool {
		var err error
		if d, err = s.api.Deployment(s.t.Context(), id); err != nil {
			s.t.Fatal(err)
		}
		if final(d.Status) && !cond(d) {
			s.t.Fatalf("waited for %s, but the deployment is %s: %s", what, d.Status, d.Explanation)
		}
		return cond(d)
	})
	return d
}

// concludes waits until the deployment of a commit ends as it should.
func (s *scene) concludes(commit, status string) wire.Deployment {
	s.t.Helper()
	return s.reaches(commit, status, func(d wire.Deployment) bool { return d.Status == status })
}

// awaitsPromotion waits until the deployment of a commit stands before its next phase.
func (s *scene) awaitsPromotion(commit string, phase int) wire.Deployment {
	s.t.Helper()
	return s.reaches(commit, fmt.Sprintf("phase %d to be promoted", phase), func(d wire.Deployment) bool {
		return d.Awaiting == "Promotion" && d.Phase == phase
	})
}

// everywhere waits until every instance runs the version.
func (s *scene) everywhere(version string) {
	s.t.Helper()
	eventually(s.t, "every instance to run "+version, func() bool { return s.fleet.running(version) == len(s.fleet.members) })
}

// status waits until a commit's status is posted in its final state, and returns it.
func (s *scene) status(commit, context string) wire.CommitStatus {
	s.t.Helper()
	var found wire.CommitStatus
	eventually(s.t, "the final status "+context+" of "+commit, func() bool {
		statuses, err := s.api.Statuses(s.t.Context(), commit)
		if err != nil {
			return false // nothing is known of the commit yet
		}
		for _, c := range statuses {
			if c.Context == context && c.State != "pending" && c.PostedAt != nil {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

// allPosted waits until the forge has taken every status of a commit as it is now.
func (s *scene) allPosted(commit string) {
	s.t.Helper()
	eventually(s.t, "every status of "+commit+" to be posted", func() bool {
		statuses, err := s.api.Statuses(s.t.Context(), commit)
		return err == nil && !slices.ContainsFunc(statuses, func(c wire.CommitStatus) bool { return c.PostedAt == nil })
	})
}

// offline opens the database of a daemon that does not run.
func (s *scene) offline(look func(db *store.Store)) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), store.Options{URL: s.database})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	look(db)
}
