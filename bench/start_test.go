package bench_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
)

func benchStart(s *scenario) {
	d := testenv.NewDaemon(s)
	var starts, idle []float64
	for range s.Rounds {
		d.Kill(s)
		starts = append(starts, milliseconds(func() { d.Start(s) }))
		pause(s.Context(), idleAfter)
		idle = append(idle, s.resident(d.PID()))
	}
	program, err := os.Stat(testenv.Binary(s))
	must(s, err)
	s.add(bench.Figure{What: "start to ready, on the embedded database", Unit: "ms", Ours: starts, Goal: 500})
	s.add(bench.Figure{What: "memory of an idle daemon, resident", Unit: "MB", Ours: idle, Goal: 60})
	s.add(bench.Figure{What: "the program", Unit: "MB", Ours: []float64{float64(program.Size()) / 1e6}})
	s.note("The program is built as releases are, with its symbols stripped. That it is ready is asked every 20 ms.")
}

// idleAfter is when a daemon that just started has nothing more to do.
const idleAfter = 2 * time.Second

// resident is the memory of a process that is in use, in MB.
func (s *scenario) resident(pid int) float64 {
	s.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(s, err)
	for line := range strings.SplitSeq(string(text), "\n") {
		var kb float64
		if n, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 && err == nil {
			return kb / 1024
		}
	}
	s.Fatalf("process %d does not say how much memory it has", pid)
	return 0
}
