package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// cartWith is the profile of a service with a single instance.
func cartWith(greeting string) string {
	return `apiVersion: sluice/v1
kind: ConfigProfile
name: cart.staging
service: cart
environment: Staging
strategy: {type: Direct, progressDeadline: 10m}
health: {enabled: false, checkInterval: 1s}
data: {greeting: ` + greeting + `}
`
}

func (s *stage) cart(greeting string) string {
	s.t.Helper()
	s.repo.Write("cart/staging.yaml", cartWith(greeting))
	sha := s.repo.Commit("Greet with " + greeting)
	s.repo.Push()
	return sha
}

// All daemons are dead; the program and its agent start again nevertheless,
// and everything goes on when the daemon is back.
func TestAgentStartsFromTheLastKnownGood(t *testing.T) {
	t.Parallel()
	s := empty(t, testenv.Binary(t), func(s *stage) { s.cart("servus") })
	a := newSidecar(t, s, "cart")
	a.start()
	a.loads("servus")

	s.kill()
	a.kill()
	a.program.forget()
	if err := os.Remove(a.program.file); err != nil {
		t.Fatal(err)
	}
	a.start()
	a.loads("servus")

	moin := s.cart("moin") // lands while nobody looks
	s.start()
	a.loads("moin")
	s.completes(moin)

	a.end(syscall.SIGTERM)
	hello := s.cart("hello") // lands while the agent is away
	s.syncsTo(hello)
	a.start()
	a.loads("hello")
	s.completes(hello)

	page, err := s.api.Instances(t.Context(), client.InstanceFilter{})
	if err != nil || page.Total != 1 {
		t.Errorf("one agent is %d instances by now, %v", page.Total, err)
	}
	s.stop()
}

// completes waits until the cart's deployment of a commit has ended well.
func (s *stage) completes(commit string) {
	s.t.Helper()
	if c := s.status(commit, "sluice/cart.staging"); c.State != "success" {
		s.t.Errorf("the commit says %s: %s", c.State, c.Description)
	}
}

// syncsTo waits until the source is synced to the commit.
func (s *scene) syncsTo(commit string) {
	s.t.Helper()
	eventually(s.t, "a sync to "+commit, func() bool {
		sources, err := s.api.Sources(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return len(sources) == 1 && sources[0].Head == commit
	})
}

// A database that was restored from a backup counts generations again that
// were given before. The agent does not go back.
func TestAgentRefusesAnOlderGeneration(t *testing.T) {
	t.Parallel()
	s := empty(t, testenv.Binary(t), func(s *stage) { s.cart("servus") })
	a := newSidecar(t, s, "cart")
	a.start()
	a.loads("servus")
	s.stop()
	backup := s.copyDatabase(s.data, t.TempDir())

	s.start()
	for _, greeting := range []string{"moin", "hello"} {
		s.completes(s.cart(greeting))
		a.loads(greeting)
	}
	s.stop()
	s.copyDatabase(backup, s.data)
	s.cart("bonjour")
	s.start()
	eventually(t, "the agent to refuse", func() bool { return strings.Contains(a.logs(), "older assignment refused") })
	a.loads("hello")
	if strings.Contains(a.logs(), "panic") {
		t.Error("the agent panicked")
	}
	s.stop()
}

// copyDatabase copies the database of a stopped daemon from one folder over
// the one in another, and returns the latter.
func (s *stage) copyDatabase(from, to string) string {
	s.t.Helper()
	for _, name := range []string{"sluice.db", "sluice.db-wal", "sluice.db-shm"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		switch {
		case os.IsNotExist(err):
			err = os.RemoveAll(filepath.Join(to, name))
		case err == nil:
			err = os.WriteFile(filepath.Join(to, name), raw, 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return to
}
