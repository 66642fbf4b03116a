package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gatebench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("gatebench", flag.ContinueOnError)
	runs := flags.Int("runs", 10_000, "number of simulated deployments")
	seed := flags.Uint64("seed", 1, "seed of the scenarios: the same one gives the same table")
	into := flags.String("into", "", "Markdown file whose table is written again, between its markers")
	only := flags.String("class", "", "run only the classes whose name contains this, and say why Sluice stopped")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var scores []score
	for i, c := range classes() {
		if !strings.Contains(c.name, *only) {
			continue
		}
		s := measure(c, *seed+uint64(i)*1_000_003, max(1, *runs*c.share/100), everyJudge)
		scores = append(scores, s)
		if *only != "" {
			fmt.Println(strings.Join(s.why, "\n"))
		}
	}
	table := render(scores, *runs, *seed)
	if *into != "" {
		return replace(*into, table)
	}
	fmt.Print(table)
	return nil
}

// score is a class with what each judge made of it: Sluice, then the plain rules.
type score struct {
	class
	judges [4]tally
	why    []string // of Sluice, run by run
}

// everyJudge lets all of them judge a scenario, Sluice first.
func everyJudge(s scenario) []outcome { return append([]outcome{gate(s)}, watch(s)...) }

// gateAlone lets Sluice judge it.
func gateAlone(s scenario) []outcome { return []outcome{gate(s)} }

// measure runs scenarios of a class, as many at once as there are processors.
func measure(c class, seed uint64, runs int, judge func(scenario) []outcome) score {
	results := make([][]outcome, runs)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				s := c.draw(newDice(seed, uint64(i)))
				s.seed = seed + uint64(i)*7919
				results[i] = judge(s)
			}
		})
	}
	for i := range runs {
		next <- i
	}
	close(next)
	wg.Wait()
	out := score{class: c}
	for i, r := range results {
		for j, o := range r {
			out.judges[j].add(o)
		}
		if r[0].stopped || r[0].waits {
			out.why = append(out.why, fmt.Sprintf("run %d after %s, %.0f %%: %s", i, r[0].after, 100*r[0].reach, r[0].reason))
		}
	}
	return out
}
