package forgetest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// waits fails the test unless err asks to wait for d, and nothing is sent until then.
func (b *bench) waits(t *testing.T, err error, d time.Duration) {
	t.Helper()
	limited, ok := errors.AsType[*forge.LimitedError](err)
	if !ok || errors.Is(err, forge.ErrTerminal) || errors.Is(err, forge.ErrAccess) {
		t.Fatalf("error %v, want a LimitedError alone", err)
	}
	if got := limited.RetryAfter(); got < d || got > d+2*time.Second {
		t.Errorf("again after %s, want %s", got, d)
	}
	before := len(b.f.Requests())
	for range 3 {
		_, err := b.host.OpenPullRequests(t.Context(), "main")
		if _, ok := errors.AsType[*forge.LimitedError](err); !ok {
			t.Errorf("meanwhile: error %v, want a LimitedError", err)
		}
	}
	if got := len(b.f.Requests()); got != before {
		t.Errorf("%d requests were sent meanwhile", got-before)
	}
	b.clock.Advance(d + 2*time.Second)
	if _, err := b.host.OpenPullRequests(t.Context(), "main"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// slowDown: Retry-After is honoured to the second, and a forge that gives no time
// gets a minute.
func slowDown(t *testing.T, k Kind) {
	b := k.setup(t)
	b.f.SlowDown(90 * time.Second)
	_, err := b.host.OpenPullRequests(t.Context(), "main")
	b.waits(t, err, 90*time.Second)
	b.f.Inject(fakeforge.Fault{Status: http.StatusTooManyRequests, Body: "slow down"})
	_, err = b.host.OpenPullRequests(t.Context(), "main")
	b.waits(t, err, time.Minute)
	b.f.Inject(fakeforge.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7"}}})
	_, err = b.host.OpenPullRequests(t.Context(), "main")
	b.waits(t, err, 7*time.Second)
}

// quotaSpent: a quota that is spent is not asked again before it is given anew.
func quotaSpent(t *testing.T, k Kind) {
	if !k.Quota {
		t.Skip("this forge tells no quota")
	}
	var left atomic.Int64
	b := k.setup(t, func(_ *fakeforge.Options, g *forge.GatewayOptions) {
		g.Quota = func(_ string, remaining, _ int) { left.Store(int64(remaining)) }
	})
	b.f.SpendQuota(0, b.clock.Now().Add(10*time.Minute))
	_, err := b.host.OpenPullRequests(t.Context(), "main")
	b.waits(t, err, 10*time.Minute)
	if left.Load() == 0 {
		t.Error("the quota that was given anew was not told")
	}
	// The last one that was left is an answer, and then there is silence.
	b.f.SpendQuota(1, b.clock.Now().Add(10*time.Minute))
	if _, err := b.host.PullRequest(t.Context(), 1); !errors.Is(err, forge.ErrNotFound) {
		t.Fatalf("the last one: %v", err)
	}
	_, err = b.host.OpenPullRequests(t.Context(), "main")
	b.waits(t, err, 10*time.Minute)
}

// conditional: asking again for what did not change costs nothing.
func conditional(t *testing.T, k Kind) {
	if !k.Conditional {
		t.Skip("this forge knows no conditional requests")
	}
	b := k.setup(t)
	b.open("first")
	list := func() (numbers, charged int) {
		before := len(b.f.Requests())
		open, err := b.host.OpenPullRequests(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.f.Requests()[before:] {
			if r.Charged {
				charged++
			}
		}
		return len(open), charged
	}
	if n, charged := list(); n != 1 || charged == 0 {
		t.Fatalf("first: %d open, %d charged", n, charged)
	}
	if n, charged := list(); n != 1 || charged != 0 {
		t.Errorf("again: %d open, %d charged, want 1 and none", n, charged)
	}
	b.open("second")
	if n, charged := list(); n != 2 || charged == 0 {
		t.Errorf("changed: %d open, %d charged", n, charged)
	}
}

// everything calls each method once and returns the errors by name.
func (b *bench) everything(t *testing.T) map[string]error {
	ctx, out := t.Context(), map[string]error{}
	head := b.f.Repo.Head()
	out["PostStatus"] = b.host.PostStatus(ctx, forge.Status{Commit: head, Context: "sluice", State: forge.Success})
	_, out["PullRequest"] = b.host.PullRequest(ctx, 1)
	_, out["OpenPullRequests"] = b.host.OpenPullRequests(ctx, "main")
	_, _, out["MergedBy"] = b.host.MergedBy(ctx, head)
	_, out["Approvals"] = b.host.Approvals(ctx, 1)
	out["PutComment"] = b.host.PutComment(ctx, 1, "check", "body")
	_, out["Comment"] = b.host.Comment(ctx, 1, 1)
	_, out["Permission"] = b.host.Permission(ctx, "alice")
	_, out["Propose"] = b.host.Propose(ctx, b.proposal("sluice/revert"))
	if a, ok := b.host.(forge.Annotator); ok {
		out["Annotate"] = a.Annotate(ctx, 1, b.f.Pull(1).Head, []forge.Remark{{Path: "first.yaml", Line: 1, Text: "no"}})
	}
	return out
}

// refusals: what a person has to mend, what time mends and what nothing mends.
func refusals(t *testing.T, k Kind) {
	b := k.setup(t)
	b.open("first")
	for status, want := range map[int]struct{ terminal, access bool }{
		http.StatusUnauthorized:        {access: true},
		http.StatusForbidden:           {access: true},
		http.StatusNotFound:            {terminal: true},
		http.StatusGone:                {terminal: true},
		http.StatusUnprocessableEntity: {terminal: true},
		http.StatusInternalServerError: {},
		http.StatusBadGateway:          {},
		http.StatusServiceUnavailable:  {},
	} {
		if _, err := b.host.OpenPullRequests(t.Context(), "main"); err != nil { // it is signed in
			t.Fatal(err)
		}
		b.f.Inject(fakeforge.Fault{Status: status, Times: -1, Body: `{"message":"no"}`})
		for method, err := range b.everything(t) {
			if method == "Permission" && status == http.StatusNotFound && err == nil {
				continue // nobody by that name
			}
			if err == nil || errors.Is(err, forge.ErrTerminal) != want.terminal || errors.Is(err, forge.ErrAccess) != want.access {
				t.Errorf("%s answered %d: error %v, want terminal %t, access %t", method, status, err, want.terminal, want.access)
			}
		}
		b.f.Heal()
	}
}

// noToken: a forge that echoes the credentials does not get them into an error.
func noToken(t *testing.T, k Kind) {
	b := k.setup(t)
	b.open("first")
	for _, fault := range []fakeforge.Fault{
		{Status: 401, Body: `{"message":"bad token ` + fakeforge.Credentials + `"}`},
		{Status: 422, Body: `{"message":"no","errors":[{"message":"Authorization: ` + fakeforge.Credentials + `"}]}`},
		{Status: 500, Body: "panic: " + fakeforge.Credentials},
		{Status: 200, Body: fakeforge.Credentials},
		{Status: 302, Header: http.Header{"Location": {"http://u:" + fakeforge.Credentials + "@evil.example.com/?token=" + fakeforge.Credentials}}},
		{Cut: true},
	} {
		fault.Times = -1
		b.f.Inject(fault)
		for method, err := range b.everything(t) {
			if err == nil && fault.Status != 200 {
				t.Errorf("%s answered %d: no error", method, fault.Status)
			}
			for token := range b.sent() {
				if err != nil && strings.Contains(err.Error(), token) {
					t.Errorf("%s answered %d: the token is in the error %v", method, fault.Status, err)
				}
			}
		}
		b.f.Heal()
	}
	if len(b.sent()) == 0 {
		t.Error("nobody signed in")
	}
}

// sent are the credentials that were sent.
func (b *bench) sent() map[string]bool {
	all := map[string]bool{}
	for _, r := range b.f.Requests() {
		if r.Credentials != "" {
			all[r.Credentials] = true
		}
	}
	return all
}

// tooLarge: an answer without end is not read to its end.
func tooLarge(t *testing.T, k Kind) {
	b := k.setup(t, func(_ *fakeforge.Options, g *forge.GatewayOptions) { g.MaxBody = 64 << 10 })
	b.open("first")
	b.f.Inject(fakeforge.Fault{Status: 200, Times: -1, Body: "{}" + strings.Repeat(" ", 1<<20)})
	for method, err := range b.everything(t) {
		if !errors.Is(err, forge.ErrTerminal) {
			t.Errorf("%s of a megabyte: error %v, want ErrTerminal", method, err)
		}
	}
}

// redirects: the credentials go to no other host, and a repository that moved is
// not written to by a request that was made another on the way.
func redirects(t *testing.T, k Kind) {
	b := k.setup(t)
	b.open("first")
	var visits atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(elsewhere.Close)
	b.f.Inject(fakeforge.Fault{Status: 302, Times: -1, Header: http.Header{"Location": {elsewhere.URL + "/"}}})
	for method, err := range b.everything(t) {
		if err == nil {
			t.Errorf("%s was taken elsewhere", method)
		}
	}
	if visits.Load() > 0 {
		t.Errorf("another host was asked %d times", visits.Load())
	}
	b.f.Heal()
	b.f.Inject(fakeforge.Fault{Method: "POST", Status: 301, Times: -1, Header: http.Header{"Location": {b.f.URL + "/moved"}}})
	err := b.host.PostStatus(t.Context(), forge.Status{Commit: b.f.Repo.Head(), Context: "sluice", State: forge.Success})
	if !errors.Is(err, forge.ErrTerminal) {
		t.Errorf("a status to a repository that moved: error %v, want ErrTerminal", err)
	}
}

// noAnswer: a forge that hangs is left, and it is worth trying again.
func noAnswer(t *testing.T, k Kind) {
	b := k.setup(t, func(_ *fakeforge.Options, g *forge.GatewayOptions) { g.Timeout = 50 * time.Millisecond })
	b.f.Inject(fakeforge.Fault{Hang: true, Times: -1})
	err := b.host.PostStatus(t.Context(), forge.Status{Commit: b.f.Repo.Head(), Context: "sluice", State: forge.Success})
	if err == nil || errors.Is(err, forge.ErrTerminal) || errors.Is(err, forge.ErrAccess) {
		t.Errorf("error %v, want one worth trying again", err)
	}
}
