package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGateJudgesWell runs a few hundred deployments with fixed seeds: the gate
// must not get clearly worse than docs/gate.md says. `make bench/gate` says it exactly.
func TestTheGateJudgesWell(t *testing.T) {
	t.Parallel()
	some := func(s score) string { return strings.Join(s.why[:min(5, len(s.why))], "\n") }
	for name, c := range map[string]struct {
		runs int
		bad  func(tally) string
	}{
		"errors +10 points, one of ten": {100, caught(97, 97)},
		"errors +7 points, one of ten":  {60, caught(0, 97)},
		"p99 doubled, one of ten":       {100, caught(96, 97)},
		"p99 +80 %, one of ten":         {60, caught(0, 93)},
		"healthy, ten instances":        {24, neverStops},
		"1 request a second: healthy":   {8, neverStops},
		"ill before":                    {8, neverStops},
		"outage before the last phase":  {12, neverStops},
		"1 request in 10 s: healthy":    {3, neverStops},
		"three in ten":                  {40, caught(0, 88)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class := classNamed(t, name)
			draw := class.draw
			class.draw = func(d dice) scenario {
				s := draw(d)
				s.instances = min(s.instances, 20)
				return s
			}
			s := measure(class, 7, c.runs, gateAlone)
			if bad := c.bad(s.judges[0]); bad != "" {
				t.Errorf("%s:\n%s", bad, some(s))
			}
		})
	}
}

// TestTheGateJudgesLargeFleets runs fleets of which a check looks at a part only.
func TestTheGateJudgesLargeFleets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		runs int
		bad  func(tally) string
	}{
		"errors +7 points, one of ten": {3, caught(100, 100)},
		"p99 +80 %, one of ten":        {3, caught(100, 100)},
		"three in ten":                 {3, caught(100, 100)},
		"healthy, ten instances":       {1, neverStops},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class := classNamed(t, name)
			draw := class.draw
			class.draw = func(d dice) scenario {
				s := draw(d)
				s.instances = 1200
				return s
			}
			if s := measure(class, 7, c.runs, gateAlone); c.bad(s.judges[0]) != "" || s.judges[0].waits > 0 {
				t.Errorf("%s, %d wait:\n%s", c.bad(s.judges[0]), s.judges[0].waits, strings.Join(s.why, "\n"))
			}
		})
	}
}

// caught wants so many percent caught within two checks and within five minutes.
func caught(inTwo, inPhase float64) func(tally) string {
	return func(t tally) string {
		two, phase := 100*float64(t.inTwo)/float64(t.runs), 100*float64(t.inPhase)/float64(t.runs)
		if two < inTwo || phase < inPhase {
			return fmt.Sprintf("%.0f %% are caught within two checks and %.0f %% within five minutes", two, phase)
		}
		return ""
	}
}

func neverStops(t tally) string {
	if t.stopped > 0 {
		return fmt.Sprintf("%d of %d were rolled back", t.stopped, t.runs)
	}
	return ""
}

func classNamed(t *testing.T, part string) class {
	t.Helper()
	for _, c := range classes() {
		if strings.Contains(c.name, part) {
			return c
		}
	}
	t.Fatalf("no class is named %q", part)
	return class{}
}

func TestTheSharesAreAHundred(t *testing.T) {
	t.Parallel()
	sum := 0
	for _, c := range classes() {
		sum += c.share
	}
	if sum != 100 {
		t.Errorf("%d", sum)
	}
}

// The same seed gives the same fleets, whoever judges them.
func TestTheSameSeedGivesTheSameTable(t *testing.T) {
	t.Parallel()
	c := classNamed(t, "p99 +80 %")
	one, other := measure(c, 3, 6, everyJudge), measure(c, 3, 6, everyJudge)
	if row(one) != row(other) || fmt.Sprint(one.why) != fmt.Sprint(other.why) {
		t.Errorf("%s\n%s", row(one), row(other))
	}
}

// The page shows the table that its command makes, in full.
func TestThePageHasTheTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "gate.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), begin)
	table, _, closed := strings.Cut(rest, end)
	if !closed || !regexp.MustCompile("^Made by `make bench/gate RUNS=[0-9]{5,} SEED=[0-9]+`\\.\n").MatchString(table) {
		t.Errorf("the table does not say how it was made: %.80q", table)
	}
	for _, c := range classes() {
		if !strings.Contains(table, "| "+c.name+" |") {
			t.Errorf("the table has no row for %q: run make bench/gate", c.name)
		}
	}
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "\nbench/gate:") {
		t.Error("the Makefile does not make it")
	}
}
