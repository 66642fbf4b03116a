package rollout_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts runs the commands of each file, the lines that begin with
// ">", and compares what the deployment does with what the file says.
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
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("the rollout went another way (-update writes it anew):\n%s", firstDifference(string(want), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(b), len(a))
}

// replay keeps comments and commands, and writes what follows from them.
func replay(t *testing.T, script string) string {
	t.Helper()
	s := &stage{t: t}
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&s.out, line)
			s.command(strings.Fields(line[2:]))
		case strings.HasPrefix(line, "#"), line == "":
			fmt.Fprintln(&s.out, line)
		}
	}
	return s.out.String()
}

// stage is a world that writes down what it sees.
type stage struct {
	t      *testing.T
	w      *world
	out    strings.Builder
	status string
}

func (s *stage) command(words []string) {
	s.t.Helper()
	name, args := words[0], words[1:]
	rest := strings.Join(args, " ")
	switch name {
	case "fleet": // fleet 10 on 1.0.0
		s.fleet(args)
	case "strategy":
		s.strategy(args)
	case "set":
		s.set(args[0], strings.Join(args[1:], " "))
	case "commit":
		s.w.commit(rest)
		s.w.run(0)
	case "advance":
		s.w.run(s.duration(rest))
	case "errors": // errors 1.1.0 30%
		b := s.w.behaves[args[0]]
		b.latency, b.errors = cmp.Or(b.latency, 20), s.number(strings.TrimSuffix(args[1], "%"))
		s.w.behaves[args[0]] = b
	case "latency": // latency 1.1.0 400ms
		s.w.behaves[args[0]] = behaviour{latency: float64(s.duration(args[1]).Milliseconds())}
	case "unhealthy":
		s.w.behaves[rest] = behaviour{latency: 20, unhealthy: true}
	case "metric":
		s.metric(args)
	case "answers":
		s.w.answers[args[0]] = s.measurement(args[1], strings.Join(args[2:], " "))
	case "join":
		s.w.join(rest)
	case "leave", "silent", "back", "mute", "unmute", "break", "mend":
		s.instances(name, args)
	case "groups":
		s.w.groups()
	case "hook": // hook refuses TEXT, hook mends
		if s.w.hook = strings.Join(args[1:], " "); s.w.hook == "" {
			s.w.mendHook()
			s.w.run(0)
		}
	case "emergency": // emergency 1.0.0 reason
		s.said(s.w.emergency(args[0], "alice", strings.Join(args[1:], " ")))
	case "freeze": // freeze REASON, freeze 10m REASON
		last, err := time.ParseDuration(args[0])
		if err == nil {
			args = args[1:]
		}
		s.w.froze(last, strings.Join(args, " "))
		s.w.run(0)
	case "unfreeze":
		s.w.thaw()
		s.w.run(0)
	case "pause", "resume", "promote", "promote-all", "cancel", "rollback":
		s.said(s.w.order(rollout.Order(name), "alice", rest))
	case "show":
		s.show()
	default:
		s.t.Fatalf("unknown command %q", name)
	}
}

func (s *stage) fleet(args []string) {
	version := ""
	if len(args) > 1 {
		version = args[2]
	}
	s.w = newWorld(int(s.number(args[0])), version)
	s.w.run(time.Minute) // so that there is a baseline
	s.w.see = s.see
}

func (s *stage) strategy(args []string) {
	switch args[0] {
	case "canary": // canary 10,30,100 every 1m
		st := profile.DefaultStrategy(profile.Canary)
		st.Steps, st.PhaseInterval = nil, profile.Duration(s.duration(args[3]))
		for step := range strings.SplitSeq(args[1], ",") {
			st.Steps = append(st.Steps, int(s.number(step)))
		}
		s.w.strategy = st
	case "rolling": // rolling 25% every 30s
		st := profile.DefaultStrategy(profile.Rolling)
		st.BatchSize, st.BatchInterval = args[1], profile.Duration(s.duration(args[3]))
		s.w.strategy = st
	case "bluegreen": // bluegreen 1m 5m: verification, keep
		s.w.strategy = profile.DefaultStrategy(profile.BlueGreen)
		s.w.strategy.VerificationPeriod = profile.Duration(s.duration(args[1]))
		s.w.strategy.KeepBlueDuration = profile.Duration(s.duration(args[2]))
	case "Doubling": // Doubling every 1m
		s.w.strategy = profile.Strategy{Type: "Doubling", AutoPromote: true, ProgressDeadline: profile.Duration(30 * time.Minute)}
		s.w.strategy.PhaseInterval = profile.Duration(s.duration(args[2]))
	case "direct": // direct [2]
		s.w.strategy = profile.DefaultStrategy(profile.Direct)
		if len(args) > 1 {
			s.w.strategy.MaxConcurrency = int(s.number(args[1]))
		}
	}
}

func (s *stage) set(what, value string) {
	switch what {
	case "autoPromote":
		s.w.strategy.AutoPromote = value == "on"
	case "autoRollback":
		s.w.health.AutoRollback = value == "on"
	case "stopOnFailure":
		s.w.strategy.StopOnFailure = value == "on"
	case "health":
		s.w.health.Enabled = value == "on"
	case "deadline":
		s.w.strategy.ProgressDeadline = profile.Duration(s.duration(value))
	case "guard":
		s.w.guard = value
	case "requests":
		s.w.requests = uint64(s.number(value))
	case "reports":
		s.w.reports = value == "on"
	case "deny":
		rule, err := profile.ParseWindow(value)
		if err != nil {
			s.t.Fatal(err)
		}
		s.w.windows.Deny = []profile.Window{rule}
	case "overrun":
		s.w.windows.Overrun = profile.Overrun(value)
	case "force":
		s.w.force = value
	default:
		s.t.Fatalf("nothing to set is called %q", what)
	}
}

// instances applies a command to named instances, or to those on a version.
func (s *stage) instances(command string, names []string) {
	for _, p := range slices.Clone(s.w.processes) {
		if !slices.Contains(names, p.instance.ID) && !slices.Contains(names, p.assignment.Version) && names[0] != "all" {
			continue
		}
		switch command {
		case "leave":
			s.w.leave(p.instance.ID)
		case "silent", "back":
			p.silent = command == "silent"
			p.beat = s.w.now
		case "mute", "unmute":
			p.mute = command == "mute"
		case "mend":
			p.broken, p.assignment.ApplyError = "", ""
		case "break":
			p.broken = "yaml: line 3: did not find expected key"
		}
	}
}

func (s *stage) said(err error) {
	if err != nil {
		fmt.Fprintf(&s.out, "  refused: %v\n", err)
	}
	s.w.run(0)
}

func (s *stage) clock() string {
	t := s.w.now.Sub(dawn.Add(time.Minute))
	return fmt.Sprintf("%02d:%02d", int(t.Minutes()), int(t.Seconds())%60)
}

// show prints who runs what.
func (s *stage) show() {
	runs := map[string]int{}
	for _, p := range s.w.processes {
		runs[cmp.Or(p.assignment.Applied, "nothing")]++
	}
	var parts []string
	for version, n := range runs {
		parts = append(parts, fmt.Sprintf("%d on %s", n, version))
	}
	slices.Sort(parts)
	fmt.Fprintf(&s.out, "  fleet: %s; stable %s\n", strings.Join(parts, ", "), s.w.current)
	if s.w.traffic.Group != "" {
		fmt.Fprintf(&s.out, "  traffic on %s\n", s.w.traffic.Group)
	}
}

// metric asks a provider outside: metric success prometheus min 99 QUERY, or
// metric smoke webhook smoke-tests. On trial it begins with "trial".
func (s *stage) metric(args []string) {
	m := profile.Metric{DryRun: args[0] == "trial"}
	if m.DryRun {
		args = args[1:]
	}
	m.Name, m.Provider, args = args[0], args[1], args[2:]
	if m.Provider == profile.ProviderPrometheus {
		bound := s.number(args[1])
		if args[0] == "min" {
			m.Min = &bound
		} else {
			m.Max = &bound
		}
		args = args[2:]
	}
	m.Query = strings.Join(args, " ")
	s.w.health.Metrics = append(s.w.health.Metrics, m)
}

// measurement is an answer: a number, none, pass, fail, wait, or error and why.
func (s *stage) measurement(answer, rest string) rollout.Measurement {
	results := map[string]rollout.Outcome{"pass": rollout.Pass, "fail": rollout.Fail, "wait": rollout.Inconclusive}
	switch {
	case answer == "none":
		return rollout.Measurement{}
	case answer == "error":
		return rollout.Measurement{Err: rest}
	case results[answer] != "":
		return rollout.Measurement{Result: results[answer], Reason: rest}
	}
	value := s.number(answer)
	return rollout.Measurement{Value: &value, N: 1}
}

// see prints a decision, unless it only keeps one more check that passed.
func (s *stage) see(before rollout.Deployment, dec rollout.Decision) {
	next := dec.Next
	status := ""
	for _, st := range dec.Status {
		status = fmt.Sprintf("%s %q", st.State, st.Description)
	}
	quiet := before.ID == next.ID && before.State == next.State && before.Awaiting == next.Awaiting && before.Phase == next.Phase &&
		len(dec.Assign) == 0 && len(dec.Facts) == 0 && (status == "" || status == s.status)
	if quiet {
		return
	}
	state := string(next.State)
	if next.Awaiting != rollout.AwaitingNothing {
		state += "/" + string(next.Awaiting)
	}
	fmt.Fprintf(&s.out, "  %s %s %s: %s\n", s.clock(), next.Version, state, next.Explanation)
	s.sent(dec)
	assigned := map[string]int{}
	for _, a := range dec.Assign {
		assigned[a.Version]++
	}
	for _, version := range slices.Sorted(maps.Keys(assigned)) {
		fmt.Fprintf(&s.out, "        assign %s to %d\n", version, assigned[version])
	}
	for _, f := range dec.Facts {
		fmt.Fprintf(&s.out, "        fact %s by %s\n", f.Type, f.Actor)
	}
	if status != "" && status != s.status {
		fmt.Fprintf(&s.out, "        status %s\n", status)
		s.status = status
	}
}

// sent prints what each check of a provider outside rests on.
func (s *stage) sent(dec rollout.Decision) {
	for _, check := range dec.Checks {
		for _, m := range check.Verdict.Metrics {
			if m.Provider == "" {
				continue
			}
			value, trial := "", ""
			if m.Value != nil {
				value = fmt.Sprintf(" %g, threshold %g,", *m.Value, m.Threshold)
			}
			if m.DryRun {
				trial = " on trial"
			}
			fmt.Fprintf(&s.out, "        %s:%s %s%s, %s\n", m.Name, value, m.Outcome, trial, cmp.Or(m.Query, m.Reason))
		}
	}
}

func (s *stage) duration(text string) time.Duration {
	s.t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *stage) number(text string) float64 {
	s.t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
