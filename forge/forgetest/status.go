package forgetest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// statuses tries each case on a commit of its own.
func statuses(t *testing.T, k Kind) {
	b := k.setup(t)
	var commits atomic.Int64
	Run(t, func(*testing.T) Place {
		n := commits.Add(1)
		commit := b.f.PushBranch(fmt.Sprintf("branch-%d", n), "alice", files("a.yaml", fmt.Sprintf("a: %d\n", n)))
		return Place{Forge: b.host, Commit: commit, Shown: func(commit string) map[string]forge.Status { return k.Shown(b.f, commit) }}
	})
}

// statusTerminal: no retry brings back a commit that is gone, or makes room.
func statusTerminal(t *testing.T, k Kind) {
	b := k.setup(t, func(f *fakeforge.Options, _ *forge.GatewayOptions) { f.MaxStatuses = 2 })
	gone := forge.Status{Commit: strings.Repeat("ab", 20), Context: "sluice", State: forge.Success}
	if err := b.host.PostStatus(t.Context(), gone); !errors.Is(err, forge.ErrTerminal) {
		t.Errorf("a commit that is gone: error %v, want ErrTerminal", err)
	}
	if !k.Limit {
		return
	}
	s := forge.Status{Commit: b.f.Repo.Head(), Context: "sluice", State: forge.Pending}
	for i := range 3 {
		s.Description = strings.Repeat("x", i+1)
		err := b.host.PostStatus(t.Context(), s)
		if full := i == 2; errors.Is(err, forge.ErrTerminal) != full || err == nil && full || err != nil && !full {
			t.Errorf("status %d of at most 2: error %v", i+1, err)
		}
	}
	s.Context = "sluice/other"
	if err := b.host.PostStatus(t.Context(), s); err != nil {
		t.Errorf("another context has room: %v", err)
	}
}

// statusLost: the forge takes a status and its answer is lost. Trying again, as
// the outbox does, leaves the last state right.
func statusLost(t *testing.T, k Kind) {
	b := k.setup(t)
	s := forge.Status{Commit: b.f.Repo.Head(), Context: "sluice", State: forge.Pending, Description: "canary 10%"}
	for _, state := range []forge.State{forge.Pending, forge.Success} {
		s.State, s.Description = state, "now "+string(state)
		b.f.Inject(fakeforge.Fault{Method: "POST", Cut: true})
		err := b.host.PostStatus(t.Context(), s)
		if err == nil || errors.Is(err, forge.ErrTerminal) || errors.Is(err, forge.ErrAccess) {
			t.Fatalf("%s with a lost answer: error %v, want one worth trying again", state, err)
		}
		if err := b.host.PostStatus(t.Context(), s); err != nil {
			t.Fatalf("%s again: %v", state, err)
		}
		if got := k.Shown(b.f, s.Commit); len(got) != 1 || got["sluice"] != s {
			t.Fatalf("shown %+v, want only %+v", got, s)
		}
	}
}
