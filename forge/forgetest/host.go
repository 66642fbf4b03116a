package forgetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// Kind is one kind of forge.Host and the fake that it is tried against.
type Kind struct {
	Dialect fakeforge.Dialect
	// Open returns the host for the fake's repository, which speaks through the gateway.
	Open func(t *testing.T, f *fakeforge.Forge, gate *forge.Gateway) forge.Host
	// Shown is what a reader of a commit sees, in Sluice's words.
	Shown func(f *fakeforge.Forge, commit string) map[string]forge.Status

	Conditional bool // the forge answers 304 and takes no quota for it
	Quota       bool // the forge tells what is left
	Maintain    bool // the forge knows this permission
	Limit       bool // the forge takes so many statuses of one context and no more

	Only []string // checks to run, where another kind runs them all
}

// Clock is a time that only a test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is one host with its fake and their time.
type bench struct {
	f     *fakeforge.Forge
	host  forge.Host
	clock *Clock
	kind  Kind
}

// setup starts a fake and a host on it. change may alter how.
func (k Kind) setup(t *testing.T, change ...func(*fakeforge.Options, *forge.GatewayOptions)) *bench {
	t.Helper()
	clock := &Clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	fake := fakeforge.Options{Now: clock.Now}
	gate := forge.GatewayOptions{Host: "forge.example.com", Now: clock.Now}
	for _, c := range change {
		c(&fake, &gate)
	}
	f := fakeforge.New(t, k.Dialect, fake)
	for user, role := range map[string]string{"alice": "write", "bob": "write", "carol": "admin", "rita": "read", "mallory": ""} {
		f.Allow(user, role)
	}
	return &bench{f: f, host: k.Open(t, f, forge.NewGateway(gate)), clock: clock, kind: k}
}

// files are one file with a content.
func files(path, content string) map[string]*string { return map[string]*string{path: &content} }

// open opens a pull request of a branch with one commit.
func (b *bench) open(branch string) int {
	b.f.PushBranch(branch, "alice", files(branch+".yaml", "branch: "+branch+"\n"))
	return b.f.Open(branch, "Change "+branch, "alice")
}

// RunHost checks a forge with pull requests.
func RunHost(t *testing.T, k Kind) {
	for name, check := range map[string]func(*testing.T, Kind){
		"statuses":             statuses,
		"status terminal":      statusTerminal,
		"status lost":          statusLost,
		"pull requests":        pullRequests,
		"many pull requests":   manyPullRequests,
		"merged by":            mergedBy,
		"approvals":            approvals,
		"comments":             comments,
		"comment lost":         commentLost,
		"comments of others":   commentsOfOthers,
		"long comments":        longComments,
		"permissions":          permissions,
		"proposals":            proposals,
		"proposals after loss": proposalsAfterLoss,
		"limits":               slowDown,
		"quota":                quotaSpent,
		"conditional":          conditional,
		"classes of refusals":  refusals,
		"no token in errors":   noToken,
		"too large":            tooLarge,
		"redirects":            redirects,
		"no answer":            noAnswer,
	} {
		if len(k.Only) > 0 && !slices.Contains(k.Only, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, k)
		})
	}
}
