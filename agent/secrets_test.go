package agent_test

import (
	"os"
	"testing"

	"github.com/sluicehq/sluice/internal/fakeserver"
)

// A file with opened secrets is for its owner alone; one that is there keeps its
// mode, without what everybody may do.
func TestFileWithSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ present, wanted, want os.FileMode }{
		"new":                 {0, 0, 0o600},
		"there":               {0o644, 0, 0o640},
		"there and narrow":    {0o400, 0, 0o400},
		"asked for by --mode": {0, 0o644, 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.opts.Mode = c.wanted
			if c.present != 0 {
				if err := os.WriteFile(b.opts.File, []byte("before"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(b.opts.File, c.present); err != nil {
					t.Fatal(err)
				}
			}
			a := fakeserver.Assignment(profileName, "1.0.0", 3, map[string]any{"n": map[string]any{"$secret": "env:A"}})
			a.Data = nil
			b.f.Update(func() { b.f.Opened = map[string][]byte{a.Hash: []byte(`{"n":7}`)} })
			b.f.Assign(a)
			b.run()
			b.f.UntilAck(3, true)
			info, err := os.Stat(b.opts.File)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(b.opts.File)
			if info.Mode().Perm() != c.want || err != nil || string(raw) != fileOf(7) {
				t.Errorf("the file has the mode %s and holds %s, want %s", info.Mode(), raw, c.want)
			}
		})
	}
}
