// Package forgetest is the conformance suite of the forges: Run is passed by each
// forge.Forge, the local one too, and RunHost by each forge.Host against the fake
// that speaks like its server.
package forgetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/forge"
)

// Place is a forge, a commit that it knows, and what a reader of a commit sees
// there: the latest status of each context.
type Place struct {
	Forge  forge.Forge
	Commit string
	Shown  func(commit string) map[string]forge.Status
}

// Run checks how the forge that open returns takes commit statuses.
func Run(t *testing.T, open func(t *testing.T) Place) {
	template := forge.Status{
		Context: "sluice/payment.production", State: forge.Pending,
		Description: strings.Repeat("é", forge.MaxDescription), TargetURL: "https://sluice.example.com/deployments/1",
	}
	start := func(t *testing.T) (Place, forge.Status) {
		t.Helper()
		p, good := open(t), template
		good.Commit = p.Commit
		return p, good
	}
	post := func(t *testing.T, f forge.Forge, s forge.Status) {
		t.Helper()
		if err := f.PostStatus(t.Context(), s); err != nil {
			t.Fatalf("PostStatus(%+v): %v", s, err)
		}
	}

	t.Run("what is posted is shown whole", func(t *testing.T) {
		t.Parallel()
		p, good := start(t)
		post(t, p.Forge, good)
		if got := p.Shown(p.Commit)[good.Context]; got != good {
			t.Fatalf("shown %+v, want %+v", got, good)
		}
	})
	t.Run("the latest of a context wins and others stay", func(t *testing.T) {
		t.Parallel()
		p, good := start(t)
		done, other := good, good
		done.State, done.Description = forge.Success, "completed"
		other.Context, other.State = "sluice", forge.Error
		post(t, p.Forge, good)
		post(t, p.Forge, other)
		post(t, p.Forge, done)
		got := p.Shown(p.Commit)
		if len(got) != 2 || got[done.Context] != done || got[other.Context] != other {
			t.Fatalf("shown %+v, want %+v and %+v", got, done, other)
		}
	})
	t.Run("every state is taken", func(t *testing.T) {
		t.Parallel()
		p, good := start(t)
		for _, state := range []forge.State{forge.Pending, forge.Success, forge.Failure, forge.Error} {
			s := good
			s.State, s.Context, s.Description = state, "sluice/"+string(state), "done"
			post(t, p.Forge, s)
			if got := p.Shown(p.Commit)[s.Context]; got != s {
				t.Errorf("shown %+v, want %+v", got, s)
			}
		}
	})
	t.Run("posting the same again is harmless", func(t *testing.T) {
		t.Parallel()
		p, good := start(t)
		post(t, p.Forge, good)
		post(t, p.Forge, good)
		if got := p.Shown(p.Commit); len(got) != 1 || got[good.Context] != good {
			t.Fatalf("shown %+v, want only %+v", got, good)
		}
	})
	for name, spoil := range map[string]func(*forge.Status){
		"no commit":              func(s *forge.Status) { s.Commit = "" },
		"no context":             func(s *forge.Status) { s.Context = "" },
		"an unknown state":       func(s *forge.Status) { s.State = "green" },
		"a long context":         func(s *forge.Status) { s.Context = strings.Repeat("c", forge.MaxContext+1) },
		"a long description":     func(s *forge.Status) { s.Description += "!" },
		"a state that is absent": func(s *forge.Status) { s.State = "" },
	} {
		t.Run(name+" is refused for good", func(t *testing.T) {
			t.Parallel()
			p, good := start(t)
			bad := good
			spoil(&bad)
			if err := p.Forge.PostStatus(t.Context(), bad); !errors.Is(err, forge.ErrTerminal) {
				t.Fatalf("PostStatus: error %v, want ErrTerminal", err)
			}
			if got := p.Shown(p.Commit); len(got) != 0 {
				t.Fatalf("shown %+v, want nothing", got)
			}
		})
	}
}
