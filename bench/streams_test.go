package bench_test

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
)

// setting is about as much as a service has: 1 KiB.
var setting = strings.Repeat("x", 900)

// benchStreams is from the commit of an assignment to the last stream that has it.
func benchStreams(s *scenario) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		for _, n := range []int{s.Instances / 10, s.Instances} {
			s.broadcast(engine, n)
		}
	}
	s.note("Each server is a process of its own, and so is each set of readers; they share the processors. Memory is what the heap and the stacks of the process have in use after a collection.")
}

func (s *scenario) broadcast(engine string, n int) {
	ours, members := s.deliverer(engine, n)
	bare := startChild(s, "bare")
	emptyOurs, emptyBare := ours.memoryKB(), bare.memoryKB()
	us, floor := startReaders(s, ours, "watch", members, n), startReaders(s, bare, "stream", "", n)
	told := s.toldInTurn(ours, bare, us, floor)
	told.What = fmt.Sprintf("an assignment to the last of %s watch streams, %s", count(n), engine)
	told.Beside, told.Goal = "a bare server-sent-events broadcast", 1.3
	s.add(told)
	if n < 1000 {
		return // the memory of so few is lost in that of the process
	}
	s.add(bench.Figure{
		What: fmt.Sprintf("memory a stream, of %s, %s", count(n), engine), Unit: "KB",
		Ours: []float64{(ours.memoryKB() - emptyOurs) / float64(n)}, Beside: "the bare server", Floor: []float64{(bare.memoryKB() - emptyBare) / float64(n)}, Goal: 1.2,
	})
}

// benchPolls is the same for long polls.
func benchPolls(s *scenario) {
	n := s.Instances
	ours, members := s.deliverer("SQLite", n)
	bare := startChild(s, "bare")
	us, floor := startReaders(s, ours, "configs", members, n), startReaders(s, bare, "poll", "", n)
	told := s.toldInTurn(ours, bare, us, floor)
	told.What = fmt.Sprintf("an assignment to the last of %s long polls, SQLite", count(n))
	told.Beside, told.Goal = "a bare broadcast to long polls", 1.3
	s.add(told)
}

// deliverer is the API with a fleet that has been told something once, and the file that names the fleet.
func (s *scenario) deliverer(engine string, n int) (p *process, members string) {
	database := filepath.Join(s.TempDir(), "sluice.db")
	if engine == "PostgreSQL" {
		database = testenv.SharedPostgres(s).CreateDatabase(s, "")
	}
	_, members = settle(s, database, n)
	p = startChild(s, "sluice", databaseEnv+"="+database, membersEnv+"="+members)
	p.do("tell", setting)
	return p, members
}

// toldInTurn tells everybody something new, ours and the floor in turn, the floor as many bytes as ours.
func (s *scenario) toldInTurn(ours, bare, us, floor *process) bench.Figure {
	round := 0
	mine, theirs := s.inTurn(
		func() float64 { round++; return told(ours, us, fmt.Sprint(round, setting)) },
		func() float64 { return told(bare, floor, sameBytes(int(us.do("size", "")))) },
	)
	return bench.Figure{Unit: "ms", Ours: mine, Floor: theirs}
}

func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
