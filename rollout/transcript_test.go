package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

var update = flag.Bool("update", false, "write the transcripts again")

// Whole rollouts, readable: lines that begin with "> " are what happens to a
// modelled fleet, the others are what was decided.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s is another story now; go test ./rollout -run Transcripts -update writes it again\n%s", file, got)
			}
		})
	}
}

// stage plays one transcript.
type stage struct {
	t    *testing.T
	w    *town
	d    rollout.Deployment // as the script shapes it before it starts
	out  strings.Builder
	last string // status
}

func play(t *testing.T, script string) string {
	s := &stage{t: t}
	for line := range strings.SplitSeq(strings.TrimRight(script, "\n"), "\n") {
		command, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			s.out.WriteString(line + "\n")
			s.do(strings.Fields(command))
		case line == "" || strings.HasPrefix(line, "#"):
			s.out.WriteString(line + "\n")
		}
	}
	return s.out.String()
}

func (s *stage) say(format string, args ...any) {
	at := s.w.now.Sub(epoch) - 5*time.Minute
	fmt.Fprintf(&s.out, "%7s  %s\n", at, fmt.Sprintf(format, args...))
}

// told prints what a stored decision did.
func (s *stage) told(dec rollout.Decision) {
	counts := map[string]int{}
	for _, a := range dec.Assign {
		counts[a.Version]++
	}
	for _, f := range dec.Facts {
		if f.Type == rollout.FactPhase || f.Type == rollout.FactGateFailed {
			s.say("%s %v", f.Type, f.Details["phase"])
		} else {
			s.say("%s", f.Type)
		}
	}
	for _, version := range []string{stable, newer, "1.0.5"} {
		if counts[version] > 0 {
			s.say("assigned %s to %d", version, counts[version])
		}
	}
	for _, status := range dec.Status {
		if line := status.Description; line == s.last {
			continue
		}
		s.last = status.Description
		s.say("status %s: %s", status.State, status.Description)
	}
}

func (s *stage) do(words []string) {
	s.t.Helper()
	number := func(i int) int {
		n, err := strconv.Atoi(strings.TrimSuffix(words[i], "%"))
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	span := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	var err error
	var dec rollout.Decision
	order := func(f func(rollout.Deployment, rollout.Snapshot, string, string, time.Time) (rollout.Decision, error)) {
		if dec, err = f(s.w.d, s.w.snapshot(), "ann", strings.Join(words[1:], " "), s.w.now); err == nil {
			s.w.store(dec)
		}
	}
	switch words[0] {
	case "fleet":
		s.w = newTown(number(1))
		s.w.onStored = s.told
		s.d = s.w.deployment("d1")
	case "first": // there was no version before
		s.w.current, s.d.Previous, s.d.PreviousHash = "", "", ""
		for _, m := range s.w.members {
			m.assignment.Version, m.assignment.Applied = "", ""
		}
	case "strategy":
		interval, batch := s.d.Strategy.PhaseInterval, s.d.Strategy.BatchInterval
		s.d.Strategy = profile.DefaultStrategy(profile.StrategyType(words[1]))
		s.d.Strategy.PhaseInterval, s.d.Strategy.BatchInterval = interval, max(batch, profile.Duration(30*time.Second))
		for _, word := range words[2:] {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "batch":
				s.d.Strategy.BatchSize = value
			case "concurrency":
				s.d.Strategy.MaxConcurrency = int(value[0] - '0')
			}
		}
	case "by-hand":
		s.d.Strategy.AutoPromote = false
	case "no-health":
		s.d.Health.Enabled = false
	case "no-auto-rollback":
		s.d.Health.AutoRollback = false
	case "guard":
		s.d.Guard = strings.Join(words[1:], " ")
	case "deny":
		window, werr := profile.ParseWindow(strings.Join(words[1:], " "))
		if werr != nil {
			s.t.Fatal(werr)
		}
		s.d.Windows = profile.Windows{Deny: []profile.Window{window}}
	case "retirement":
		s.d.Kind = rollout.Retirement
	case "deploy":
		s.w.start(s.d)
	case "supersede": // by a canary of 1.0.5
		s.w.store(rollout.Supersede(s.w.d, "superseded by 1.0.5", s.w.now))
		next := s.w.deployment("d2")
		next.Version, next.Hash, next.CreatedAt = "1.0.5", "h1.0.5", s.w.now
		s.w.start(next)
	case "advance":
		s.w.advance(span(words[1]))
	case "errors": // VERSION PERCENT
		s.w.errors[words[1]] = float64(number(2))
	case "latency": // VERSION MS
		s.w.latency[words[1]] = float64(number(2))
	case "outage":
		s.w.outage = float64(number(1))
	case "traffic":
		s.w.rate = number(1)
	case "silent", "back", "stuck", "refuses", "unhealthy":
		for _, m := range s.w.members {
			if m.ID == words[1] || words[1] == "updated" && m.assignment.Version == newer || words[1] == "all" {
				m.silent, m.stuck = words[0] == "silent", words[0] == "stuck"
				m.unhealthy = words[0] == "unhealthy"
				if words[0] == "refuses" {
					m.refuses = "the pool cannot be empty"
				}
			}
		}
	case "join":
		s.w.join()
		s.w.wake = s.w.now
	case "pause":
		order(rollout.Pause)
	case "resume":
		order(rollout.Resume)
	case "promote":
		order(rollout.Promote)
	case "cancel":
		order(rollout.Cancel)
	case "rollback":
		order(rollout.RollBack)
	case "state":
		s.say("%s, %s; %d on %s, %d on %s; current %s", s.w.d.State, s.w.d.Explanation, s.w.on(newer), newer, s.w.on(stable), stable, s.w.current)
		if s.w.hold != nil {
			s.say("hold: %s refused, %s pinned", s.w.hold.RefusedVersion, s.w.hold.PinnedVersion)
		}
	default:
		s.t.Fatalf("unknown command %q", words[0])
	}
	if err != nil {
		s.say("refused: %v", err)
	}
}
