package rollout

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// A fifth strategy, as docs/strategies.md shows how to add one; the transcript
// doubling.txt runs it.
func init() {
	strategies["Doubling"] = func(d Deployment) Strategy { return doubling{watch: d.Strategy.PhaseInterval} }
}

// doubling goes to one target, then two, four, eight, until it is everywhere.
type doubling struct{ watch profile.Duration }

// Phases is how often one doubles to at least so many.
func (doubling) Phases(f Shape) int {
	n := 1
	for reached := 1; reached < f.Size; reached *= 2 {
		n++
	}
	return n
}

// Phase is twice as many as the one before.
func (s doubling) Phase(i int, f Shape) Phase {
	share := max(1, min(f.Size, 1<<min(i, 30)))
	return Phase{Share: share, Percent: 100 * share / max(share, f.Size), Bake: time.Duration(s.watch)}
}

// The guide shows the code that the transcript runs.
func TestStrategyGuideShowsTheFifth(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("fifth_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "// doubling goes")
	code, _, _ = strings.Cut(code, "\n// The guide shows")
	for _, part := range []string{strings.TrimSpace(code), `strategies["Doubling"] = func(d Deployment) Strategy { return doubling{watch: d.Strategy.PhaseInterval} }`} {
		if !strings.Contains(string(guide), part) {
			t.Errorf("docs/strategies.md does not show:\n%s", part)
		}
	}
	for name := range strategies {
		if name != "Doubling" && !strings.Contains(string(guide), "## "+string(name)+"\n") {
			t.Errorf("docs/strategies.md does not tell of %s", name)
		}
	}
}
