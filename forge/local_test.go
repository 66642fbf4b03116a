package forge_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/forge/forgetest"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	forgetest.Run(t, func(*testing.T) forgetest.Place {
		var posted []forge.Status
		record := forge.RecorderFunc(func(_ context.Context, source string, s forge.Status) error {
			if source != "configs" {
				return errors.New("wrong source " + source)
			}
			posted = append(posted, s)
			return nil
		})
		return forgetest.Place{Forge: forge.NewLocal("configs", record), Commit: "4b825dc642cb6eb9a060e54bf8d69288fbee4904", Shown: func(commit string) map[string]forge.Status {
			shown := map[string]forge.Status{}
			for _, s := range posted {
				if s.Commit == commit {
					shown[s.Context] = s
				}
			}
			return shown
		}}
	})
}

func TestLocalSaysWhyItCouldNotRecord(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	l := forge.NewLocal("configs", forge.RecorderFunc(func(context.Context, string, forge.Status) error { return full }))
	err := l.PostStatus(t.Context(), forge.Status{Commit: "c0ffee", Context: "sluice", State: forge.Success})
	if !errors.Is(err, full) || errors.Is(err, forge.ErrTerminal) || !strings.Contains(err.Error(), "c0ffee") {
		t.Fatalf("error %v, want the recorder's, to be tried again, naming the commit", err)
	}
}
