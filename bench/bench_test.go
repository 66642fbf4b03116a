package bench_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
)

// intoEnv names the file whose table is written again (make bench). Without it the scenarios run at
// a small size, which shows that they work and measures nothing.
const intoEnv = "SLUICE_BENCH_INTO"

// size is how much of everything there is.
type size struct {
	Rounds      int // of each measurement, ours and the floor in turn
	Instances   int
	Profiles    int
	Commits     int // made before the figures of a grown repository
	Deployments int // that are live at once
}

var (
	small = size{Rounds: 1, Instances: 60, Profiles: 60, Commits: 5, Deployments: 6}
	full  = size{Rounds: 3, Instances: 10_000, Profiles: 10_000, Commits: 1_000, Deployments: 1_000}
)

// scenarios are run one after the other: what is measured has the machine for itself.
var scenarios = []struct {
	title string // of its table
	run   func(s *scenario)
}{
	{"Delivery by streams", benchStreams},
	{"Delivery by long polls", benchPolls},
	{"First deployments", firstDeployments},
	{"Import of versions", benchImport},
	{"Heartbeats", benchHeartbeats},
	{"Live deployments", benchDeployments},
	{"A gate check of a big fleet", benchGate},
	{"From webhook and rollback to the last instance", benchWhole},
	{"The API", benchAPI},
	{"Rollback", benchRollback},
	{"Breach and push", benchReaction},
	{"Start and size", benchStart},
	{"A merged commit", benchCommits},
	{"The first sync", benchFirstSync},
	{"What one more costs", benchCapacity},
}

// scenario is one table of figures in the making.
type scenario struct {
	*testing.T
	size
	figures []bench.Figure
	notes   []string // below the table
}

// add keeps a figure, which must be one: a scenario whose work did not happen fails.
func (s *scenario) add(f bench.Figure) {
	s.Helper()
	for _, rounds := range [][]float64{f.Ours, f.Floor} {
		for _, x := range rounds {
			if !(x > 0) {
				s.Errorf("%s: measured %v %s", f.What, x, f.Unit)
			}
		}
	}
	if len(f.Ours) == 0 || (len(f.Floor) == 0) != (f.Beside == "") {
		s.Errorf("%s: %d rounds beside %d of %q", f.What, len(f.Ours), len(f.Floor), f.Beside)
	}
	s.figures = append(s.figures, f)
}

// note says something below the table.
func (s *scenario) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// milliseconds times one piece of work.
func milliseconds(work func()) float64 {
	began := time.Now()
	work()
	return float64(time.Since(began).Microseconds()) / 1000
}

// inTurn measures ours and the floor one after the other, Rounds times, after a round of each that is
// not counted. One round is no measurement, and goes without.
func (s *scenario) inTurn(ours, floor func() float64) (us, bare []float64) {
	if s.Rounds > 1 {
		ours()
		floor()
	}
	for range s.Rounds {
		us, bare = append(us, ours()), append(bare, floor())
	}
	return us, bare
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(child(name))
	}
	os.Exit(testenv.Main(m))
}

// Every scenario does its work; at full size its figures are written down. No figure decides
// whether the test passes.
func TestScenarios(t *testing.T) {
	into, sized := os.Getenv(intoEnv), small
	if into != "" {
		sized = full
	}
	var text strings.Builder
	began := time.Now()
	for _, each := range scenarios {
		t.Run(strings.ReplaceAll(each.title, " ", "_"), func(t *testing.T) {
			s := &scenario{T: t, size: sized}
			start := time.Now()
			each.run(s)
			fmt.Fprintf(&text, "\n### %s\n\n%s", each.title, bench.Table(s.figures))
			for _, note := range s.notes {
				fmt.Fprintf(&text, "\n%s\n", note)
			}
			t.Logf("%s, in %s\n%s", each.title, time.Since(start).Round(time.Second), bench.Table(s.figures))
		})
	}
	if into == "" || t.Failed() {
		return
	}
	if err := bench.Write(into, bench.Machine(time.Since(began))+text.String()); err != nil {
		t.Fatal(err)
	}
}
