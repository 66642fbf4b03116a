package bench_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// configs is a repository of profiles, served over HTTP as a forge serves it. Its later commits are
// there from the start, under a ref that nobody is shown: a push is then a moved branch and costs nothing.
type configs struct {
	tb      testing.TB
	root    string // that is served
	bare    string
	url     string
	commits []string // the first one, then one for each push
	pushed  int
}

// serviceSchema is what all profiles are checked by.
const serviceSchema = `$schema: https://json-schema.org/draft/2020-12/schema
type: object
additionalProperties: false
required: [timeout, retries, database]
properties:
  timeout: {type: string, pattern: "^[0-9]+(ms|s|m)$"}
  retries: {type: integer, minimum: 0, maximum: 10}
  revision: {type: integer}
  database:
    type: object
    required: [host, pool]
    properties:
      host: {type: string}
      pool: {type: integer, minimum: 1}
  features: {type: object, additionalProperties: {type: boolean}}
  endpoints: {type: array, items: {type: string}}
`

// serviceFile is where profile i lies, a hundred in a folder.
func serviceFile(i int) string { return fmt.Sprintf("profiles/team-%03d/service-%05d.yaml", i/100, i) }

// serviceName is the name of profile i.
func serviceName(i int) string { return fmt.Sprintf("service-%05d.production", i) }

// serviceProfile is the file of profile i, changed by as many commits.
func serviceProfile(i, revision int) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
description: Production configuration of service %d
service: service-%05d
environment: Production
serviceType: Microservice
schema: service.v1
strategy:
  type: Canary
  steps: [10, 50, 100]
  phaseInterval: 5m
health:
  enabled: true
  errorRateThreshold: 5.0
data:
  timeout: %ds
  retries: %d
  revision: %d
  database:
    host: db-%d.internal.example.com
    pool: %d
  features:
    checkout: true
    newSearch: false
  endpoints:
    - https://one.example.com/service-%d
    - https://two.example.com/service-%d
`, serviceName(i), i, i, 10+i%50, i%10, revision, i%17, 5+i%20, i, i)
}

// newConfigs makes a repository of profiles with as many commits to push, each of which changes one.
func newConfigs(tb testing.TB, profiles, pushes int) *configs {
	tb.Helper()
	c := &configs{tb: tb, root: tb.TempDir()}
	c.bare = filepath.Join(c.root, "configs.git")
	git(tb, c.root, nil, "init", "--quiet", "--bare", "--initial-branch=main", c.bare)
	git(tb, c.bare, nil, "config", "transfer.hideRefs", "refs/pushes")
	stream, in := io.Pipe()
	go func() {
		w := bufio.NewWriter(in)
		writeHistory(w, profiles, pushes)
		w.Flush() //nolint:errcheck // a pipe that git closed is told of by git
		in.Close()
	}()
	git(tb, c.bare, stream, "fast-import", "--quiet", "--done")
	git(tb, c.bare, nil, "repack", "-a", "-d", "--quiet")
	c.commits = strings.Fields(git(tb, c.bare, nil, "rev-list", "--reverse", "--first-parent", "refs/pushes/all"))
	server := httptest.NewServer(testenv.NewGitHTTP(tb, c.root))
	tb.Cleanup(server.Close)
	c.url = server.URL + "/configs.git"
	return c
}

// writeHistory writes what git fast-import reads.
func writeHistory(w io.Writer, profiles, pushes int) {
	file := func(path, content string) {
		fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	commit := func(n int, ref, subject string) {
		fmt.Fprintf(w, "commit %s\nmark :%d\nauthor Ann Author <ann@example.com> %d +0000\ncommitter Ann Author <ann@example.com> %d +0000\ndata %d\n%s\n",
			ref, n, 1_750_000_000+n, 1_750_000_000+n, len(subject), subject)
	}
	commit(1, "refs/heads/main", "All profiles")
	file("schemas/service.v1.yaml", serviceSchema)
	for i := range profiles {
		file(serviceFile(i), serviceProfile(i, 0))
	}
	for n := range pushes {
		commit(2+n, "refs/pushes/all", fmt.Sprintf("Change service %d", changed(n+1, profiles)))
		if n == 0 {
			fmt.Fprintln(w, "from :1")
		}
		file(serviceFile(changed(n+1, profiles)), serviceProfile(changed(n+1, profiles), n+1))
	}
	if pushes == 0 {
		fmt.Fprintln(w, "reset refs/pushes/all\nfrom :1")
	}
	fmt.Fprintln(w, "done")
}

// changed is the profile that a push changes: far from the one before.
func changed(push, profiles int) int { return push * 7919 % profiles }

// push moves the branch to its next commit and returns that.
func (c *configs) push() string {
	c.tb.Helper()
	c.pushed++
	if err := os.WriteFile(filepath.Join(c.bare, "refs", "heads", "main"), []byte(c.commits[c.pushed]+"\n"), 0o644); err != nil {
		c.tb.Fatal(err)
	}
	return c.commits[c.pushed]
}

// git runs the command line without anybody's configuration and returns what it said.
func git(tb testing.TB, dir string, in io.Reader, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "git", args...)
	var out, wrong bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, in, &out, &wrong
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, wrong.String())
	}
	return strings.TrimSpace(out.String())
}
