package clients_test

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// TestMain stands in the program's own module: the daemon is built of what that one requires.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	os.Exit(testenv.Main(m))
}

const (
	shop     = "shop.staging"
	patience = 90 * time.Second // ends a wait that is in vain
)

// What the shop's profile holds beside its greeting: something with values in it, or flags.
const (
	shopHosts = `  checkout: {enabled: true, hosts: [a, b]}
`
	shopFlags = `  flags:
    greeting:
      state: ENABLED
      variants: {usual: GREETING, formal: good day}
      defaultVariant: usual
      targeting: {if: [{"==": [{var: country}, at]}, formal]}
`
)

// shopSaying is the shop's profile with a greeting. Its canary waits for people.
func shopSaying(greeting, holds string) string {
	return `apiVersion: sluice/v1
kind: ConfigProfile
name: ` + shop + `
service: shop
environment: Staging
strategy: {type: Canary, steps: [50, 100], phaseInterval: 100ms, autoPromote: false}
health: {enabled: false}
data:
  greeting: ` + greeting + "\n" + strings.ReplaceAll(holds, "GREETING", greeting)
}

// reader is one machine that reads the shop's configuration: an instance, or one that is none.
type reader struct{ who, id, token string }

// stage is a daemon that speaks every protocol, and three readers of it.
type stage struct {
	t       *testing.T
	daemon  *testenv.Daemon
	repo    *testenv.Repo
	holds   string // beside the greeting
	admin   *client.Client
	readers []reader // two instances, and one that is none
}

// newStage opens the shop. Its profile holds shopHosts beside the greeting, or what is given.
func newStage(t *testing.T, protocols string, holds ...string) *stage {
	t.Helper()
	s := &stage{t: t, repo: testenv.NewRepo(t), holds: cmp.Or(strings.Join(holds, ""), shopHosts)}
	first := s.merge("Open the shop", "hello")
	s.daemon = testenv.NewDaemon(t, "--allow-file-urls", "--source-id", "configs", "--source-url", "file://"+s.repo.Bare, "--clients", protocols)
	s.admin = s.signIn()
	s.until(first, "Completed")
	for _, host := range []string{"shop-1", "shop-2"} {
		s.readers = append(s.readers, s.register(host))
	}
	made, err := s.admin.CreateToken(t.Context(), wire.TokenRequest{Name: "configs-reader", Role: "Viewer", Profiles: []string{"shop.*"}})
	s.must(err)
	s.readers = append(s.readers, reader{who: "no instance", token: made.Token})
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) signIn() *client.Client {
	s.t.Helper()
	stranger, err := client.New(client.Options{Server: s.daemon.URL()})
	s.must(err)
	in, err := stranger.Login(s.t.Context(), "admin", testenv.AdminPassword)
	s.must(err)
	signedIn, err := client.New(client.Options{Server: s.daemon.URL(), Token: in.Token})
	s.must(err)
	return signedIn
}

// register makes an instance and lets it say once that it is there, by the commands of the page.
func (s *stage) register(host string) reader {
	s.t.Helper()
	dir := s.t.TempDir()
	commands := strings.NewReplacer(
		"https://sluice.example.com", s.daemon.URL(), "/run/shop/", dir+"/", "$(hostname)", host, "while sleep 60; do", "", "done &", "",
	).Replace(block(s.t, "An instance of one's own", "sh norun"))
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", commands)
	cmd.Env = append(os.Environ(), "REGISTRATION_TOKEN="+testenv.RegistrationToken)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("register %s as %s says: %v\n%s", host, page, err, out)
	}
	var made wire.RegisterResponse
	text, err := os.ReadFile(filepath.Join(dir, "instance.json"))
	s.must(err)
	s.must(json.Unmarshal(text, &made))
	return reader{who: host, id: made.ID, token: made.Token}
}

// merge pushes a new greeting.
func (s *stage) merge(message, greeting string) (commit string) {
	s.t.Helper()
	s.repo.Write("shop/staging.yaml", shopSaying(greeting, s.holds))
	commit = s.repo.Commit(message)
	s.repo.Push()
	return commit
}

// until waits for the deployment of a commit to have a status.
func (s *stage) until(commit, status string) (d wire.Deployment) {
	s.t.Helper()
	s.eventually("the deployment of "+commit+" to be "+status, func() bool {
		page, err := s.admin.Deployments(s.t.Context(), client.DeploymentFilter{ConfigName: shop, Commit: commit})
		if err != nil || len(page.Items) == 0 {
			return false
		}
		d = page.Items[0]
		return d.Status == status
	})
	return d
}

func (s *stage) eventually(what string, happened func() bool) {
	s.t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(25*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// address is the daemon's, without the scheme.
func (s *stage) address() string { return strings.TrimPrefix(s.daemon.URL(), "http://") }

// run starts a program that ends with the test, and tells what it printed if the test fails.
func (s *stage) run(env []string, program string, args ...string) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	s.must(cmd.Start())
	var ended sync.WaitGroup
	ended.Go(func() { cmd.Wait() }) //nolint:errcheck // it is interrupted
	s.t.Cleanup(func() {
		stop()
		ended.Wait()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", filepath.Base(program), out.String())
		}
	})
}

// built is a program of this module's tools.
func built(t *testing.T, name, of string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-C", "clients", "-o", program, of).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return program
}
