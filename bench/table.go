package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Figure is one measured quantity, in several rounds, beside its floor.
type Figure struct {
	What string // what was measured, with its size: "an assignment to the last of 10,000 streams"
	Unit string // of Ours and Floor: ms, KB, MB, 1/s
	Ours []float64
	// Beside is what the floor is, "a bare server-sent-events broadcast"; Floor has its rounds. Both are
	// empty where a figure has a goal of its own.
	Beside string
	Floor  []float64
	// Goal is the largest ratio of Ours to Floor, or without Floor the most (or, with AtLeast, the
	// least) of Ours; 0 is none.
	Goal    float64
	AtLeast bool
}

// Median is the middle of some rounds, the mean of the two middle ones where they are even in number.
func Median(rounds []float64) float64 {
	if len(rounds) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(rounds))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Percentile is the value that p percent of the rounds do not exceed, by the nearest rank.
func Percentile(rounds []float64, p float64) float64 {
	if len(rounds) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(rounds))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Ratio is what is held against the goal: the median to the floor's median, or the median itself.
func (f Figure) Ratio() float64 {
	if len(f.Floor) == 0 {
		return Median(f.Ours)
	}
	return Median(f.Ours) / Median(f.Floor)
}

// Met says whether the goal was reached; a figure without a goal has none to miss.
func (f Figure) Met() bool {
	switch {
	case f.Goal == 0:
		return true
	case f.AtLeast:
		return f.Ratio() >= f.Goal
	default:
		return f.Ratio() <= f.Goal
	}
}

// Exponent is e in cost = c × size^e, by least squares over the logarithms: 1 is linear growth.
func Exponent(sizes, costs []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range sizes {
		x, y := math.Log(sizes[i]), math.Log(costs[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// Table writes figures as a Markdown table.
func Table(figures []Figure) string {
	var b strings.Builder
	b.WriteString("| what | measured | floor | ratio | goal | |\n|---|---|---|---|---|---|\n")
	for _, f := range figures {
		floor, ratio, goal, met := "", "", "", ""
		if len(f.Floor) > 0 {
			floor = fmt.Sprintf("%s (%s)", amount(f.Floor, f.Unit), f.Beside)
			ratio = fmt.Sprintf("%.2f", f.Ratio())
		}
		if f.Goal != 0 {
			goal = f.goal()
			met = "met"
			if !f.Met() {
				met = "**missed**"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.What, amount(f.Ours, f.Unit), floor, ratio, goal, met)
	}
	return b.String()
}

func (f Figure) goal() string {
	than := "≤"
	if f.AtLeast {
		than = "≥"
	}
	if len(f.Floor) > 0 {
		return fmt.Sprintf("%s %s", than, number(f.Goal))
	}
	return fmt.Sprintf("%s %s %s", than, number(f.Goal), f.Unit)
}

// amount is the median, with the least and the most where there were several rounds.
func amount(rounds []float64, unit string) string {
	if len(rounds) == 1 {
		return number(rounds[0]) + " " + unit
	}
	return fmt.Sprintf("%s %s (%s to %s)", number(Median(rounds)), unit, number(slices.Min(rounds)), number(slices.Max(rounds)))
}

// number writes three significant digits, and whole thousands with commas.
func number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 1000:
		text := fmt.Sprintf("%.0f", x)
		for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	case a >= 100 || a == math.Trunc(a):
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
