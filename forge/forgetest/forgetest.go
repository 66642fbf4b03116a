// Package forgetest is the conformance suite of forge.Forge: every forge passes
// it, the local one and those behind a server.
package forgetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/forge"
)

// Run checks the forge that open returns. shown lists what a reader of the
// commit now sees: the latest status of each context.
func Run(t *testing.T, open func(t *testing.T) (f forge.Forge, shown func(commit string) map[string]forge.Status)) {
	const commit = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	good := forge.Status{
		Commit: commit, Context: "sluice/payment.production", State: forge.Pending,
		Description: strings.Repeat("é", forge.MaxDescription), TargetURL: "https://sluice.example.com/deployments/1",
	}
	post := func(t *testing.T, f forge.Forge, s forge.Status) {
		t.Helper()
		if err := f.PostStatus(t.Context(), s); err != nil {
			t.Fatalf("PostStatus(%+v): %v", s, err)
		}
	}

	t.Run("what is posted is shown whole", func(t *testing.T) {
		t.Parallel()
		f, shown := open(t)
		post(t, f, good)
		if got := shown(commit)[good.Context]; got != good {
			t.Fatalf("shown %+v, want %+v", got, good)
		}
	})
	t.Run("the latest of a context wins and others stay", func(t *testing.T) {
		t.Parallel()
		f, shown := open(t)
		done, other := good, good
		done.State, done.Description = forge.Success, "completed"
		other.Context, other.State = "sluice", forge.Error
		post(t, f, good)
		post(t, f, other)
		post(t, f, done)
		got := shown(commit)
		if len(got) != 2 || got[done.Context] != done || got[other.Context] != other {
			t.Fatalf("shown %+v, want %+v and %+v", got, done, other)
		}
	})
	t.Run("posting the same again is harmless", func(t *testing.T) {
		t.Parallel()
		f, shown := open(t)
		post(t, f, good)
		post(t, f, good)
		if got := shown(commit); len(got) != 1 || got[good.Context] != good {
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
			f, shown := open(t)
			bad := good
			spoil(&bad)
			if err := f.PostStatus(t.Context(), bad); !errors.Is(err, forge.ErrTerminal) {
				t.Fatalf("PostStatus: error %v, want ErrTerminal", err)
			}
			if got := shown(commit); len(got) != 0 {
				t.Fatalf("shown %+v, want nothing", got)
			}
		})
	}
}
