package web

import (
	"slices"
	"strings"
)

// DiffLine is one line of two texts held beside each other.
type DiffLine struct {
	Sign string // "+", "-", " ", or "…" for lines left out that are the same
	Text string
}

const (
	// maxDiffCells bounds the work of comparing two texts, in pairs of lines that differ.
	maxDiffCells = 4_000_000
	// around is how many lines are shown beside one that differs.
	around = 3
)

// Lines holds two texts beside each other. Of two that are too long for it there
// is nothing: their fields tell what differs.
func Lines(from, to string) []DiffLine {
	a, b := strings.Split(strings.TrimSuffix(from, "\n"), "\n"), strings.Split(strings.TrimSuffix(to, "\n"), "\n")
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	before, after := a[start:len(a)-end], b[start:len(b)-end]
	if len(before)*len(after) > maxDiffCells {
		return nil
	}
	var all []DiffLine
	for _, text := range a[:start] {
		all = append(all, DiffLine{" ", text})
	}
	all = append(all, changed(before, after)...)
	for _, text := range a[len(a)-end:] {
		all = append(all, DiffLine{" ", text})
	}
	return near(all)
}

// changed finds the longest common lines of two texts, and what is between them.
func changed(a, b []string) []DiffLine {
	common := make([][]int32, len(a)+1) // how many lines the rests have in common
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i, one := range slices.Backward(a) {
		for j, other := range slices.Backward(b) {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if one == other {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out []DiffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, DiffLine{" ", a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, DiffLine{"-", a[i]})
			i++
		default:
			out = append(out, DiffLine{"+", b[j]})
			j++
		}
	}
	return out
}

// near leaves out what is far from every line that differs.
func near(all []DiffLine) []DiffLine {
	shown := make([]bool, len(all))
	for i, line := range all {
		if line.Sign != " " {
			for k := max(0, i-around); k <= min(len(all)-1, i+around); k++ {
				shown[k] = true
			}
		}
	}
	var out []DiffLine
	for i, line := range all {
		switch {
		case shown[i]:
			out = append(out, line)
		case i == 0 || shown[i-1]:
			out = append(out, DiffLine{Sign: "…"})
		}
	}
	return out
}
