package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The markers between which a page's table stands.
const (
	begin = "<!-- gatebench: begin -->\n"
	end   = "<!-- gatebench: end -->\n"
)

// command is what a page says to make its table with.
func command(runs int, seed uint64) string {
	return fmt.Sprintf("make bench/gate RUNS=%d SEED=%d", runs, seed)
}

// render writes the tables as Markdown.
func render(scores []score, runs int, seed uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made by `%s`.\n", command(runs, seed))
	for _, part := range []struct {
		kind  kind
		title string
	}{
		{faulty, "Bad versions"}, {healthy, "Healthy versions"}, {small, "Worse by less than the threshold"},
	} {
		all := score{class: class{name: "**together**", kind: part.kind}}
		var rows strings.Builder
		for _, s := range scores {
			if s.kind != part.kind {
				continue
			}
			rows.WriteString(row(s))
			for j := range s.judges {
				all.judges[j].join(s.judges[j])
			}
		}
		if rows.Len() > 0 {
			fmt.Fprintf(&b, "\n**%s**\n\n%s%s%s", part.title, heading(part.kind), rows.String(), row(all))
		}
	}
	return b.String()
}

func heading(k kind) string {
	if k == faulty {
		return "| what is wrong | runs | judge | caught, 95 % interval | in two checks | in 5 min | median, p95 | reached | waits |\n|---|--:|---|--:|--:|--:|--:|--:|--:|\n"
	}
	return "| what happens | runs | judge | rolled back, 95 % interval | waits |\n|---|--:|---|--:|--:|\n"
}

// row is one class: a line a judge.
func row(s score) string {
	var b strings.Builder
	for j, name := range append([]string{"**Sluice**"}, ruleNames...) {
		t := &s.judges[j]
		label, runs, waits := s.name, fmt.Sprint(t.runs), percent(t.waits, t.runs)
		if j > 0 {
			label, runs, waits = "", "", ""
		}
		low, high := wilson(t.stopped, t.runs)
		fmt.Fprintf(&b, "| %s | %s | %s | %s, %s to %s |", label, runs, name, percent(t.stopped, t.runs), number(low), number(high))
		if s.kind == faulty {
			fmt.Fprintf(&b, " %s | %s | %s, %s | %.0f %% |", percent(t.inTwo, t.runs), percent(t.inPhase, t.runs), clock(t.quantile(0.5)), clock(t.quantile(0.95)), 100*t.blast())
		}
		fmt.Fprintf(&b, " %s |\n", waits)
	}
	return b.String()
}

// clock writes a time as minutes and seconds.
func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", d/time.Minute, d%time.Minute/time.Second)
}

func percent(k, n int) string { return number(float64(k)/float64(max(1, n))) + " %" }

func number(share float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", 100*share), "0"), ".0")
}

// replace writes a table into a page, between its markers.
func replace(path, table string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no table between %q and %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(path, []byte(before+begin+table+end+after), 0o644)
}
