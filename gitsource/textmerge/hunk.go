package textmerge

// hunk is one change: the base's lines from lo up to hi are another text, longer by grows (or shorter).
type hunk struct{ lo, hi, grows int }

// hunks lists what a copy changed, in order; between two of them there is at least one line that it kept.
func hunks(base, copied text, numbers int, budget *Budget) []hunk {
	old, now := newSide(base.numbers), newSide(copied.numbers)
	h := &histogram{old: old, now: now, budget: budget, first: make([]int32, numbers), count: make([]int32, numbers), next: make([]int32, len(old.lines))}
	h.diff(span{0, len(old.lines)}, span{0, len(now.lines)})
	slide(old, now, budget)
	slide(now, old, budget)
	var out []hunk
	for i, j := 0, 0; i < len(old.lines) || j < len(now.lines); i, j = i+1, j+1 {
		lo, from := i, j
		for old.isChanged(i) {
			i++
		}
		for now.isChanged(j) {
			j++
		}
		if i > lo || j > from {
			out = append(out, hunk{lo: lo, hi: i, grows: (j - from) - (i - lo)})
		}
	}
	return out
}

// side is one of two texts that are compared.
type side struct {
	lines   []int32
	changed []bool
}

func newSide(lines []int32) *side { return &side{lines: lines, changed: make([]bool, len(lines))} }

// isChanged is false outside of the text.
func (s *side) isChanged(i int) bool { return i >= 0 && i < len(s.changed) && s.changed[i] }

// group is a run of changed lines, or the empty run between two kept ones. Both sides have as many groups as the
// other, because they kept the same lines.
type group struct{ lo, hi int }

func (s *side) group(lo int) group {
	g := group{lo, lo}
	for s.isChanged(g.hi) {
		g.hi++
	}
	return g
}

func (s *side) groupBefore(g group) group {
	b := group{g.lo - 1, g.lo - 1}
	for s.isChanged(b.lo - 1) {
		b.lo--
	}
	return b
}

// up moves a group of changes one line up, when the text reads the same either way; what it then touches joins it.
func (s *side) up(g *group) bool {
	if g.lo == 0 || s.lines[g.lo-1] != s.lines[g.hi-1] {
		return false
	}
	g.lo, g.hi = g.lo-1, g.hi-1
	s.changed[g.lo], s.changed[g.hi] = true, false
	for s.isChanged(g.lo - 1) {
		g.lo--
	}
	return true
}

// down moves a group of changes one line down.
func (s *side) down(g *group) bool {
	if g.hi == len(s.lines) || s.lines[g.lo] != s.lines[g.hi] {
		return false
	}
	s.changed[g.lo], s.changed[g.hi] = false, true
	g.lo, g.hi = g.lo+1, g.hi+1
	for s.isChanged(g.hi) {
		g.hi++
	}
	return true
}

// slide puts each group of changes that can lie in several places where Git has it: beside a change of the other side
// where that is possible, else as far down as it goes. The same change then lies at the same place in both copies.
func slide(s, other *side, budget *Budget) {
	g, o := s.group(0), other.group(0)
	for {
		if g.hi > g.lo {
			s.settle(&g, other, &o, budget)
		}
		if g.hi == len(s.lines) {
			return
		}
		g, o = s.group(g.hi+1), other.group(o.hi+1)
	}
}

// settle moves one group, and the other side's position with it.
func (s *side) settle(g *group, other *side, o *group, budget *Budget) {
	for size := -1; size != g.hi-g.lo; {
		size = g.hi - g.lo
		for budget.spend(1) && s.up(g) {
			*o = other.groupBefore(*o)
		}
		beside := o.hi > o.lo
		moved := 0 // since it lay beside a change
		for budget.spend(1) && s.down(g) {
			*o = other.group(o.hi + 1)
			if moved++; o.hi > o.lo {
				beside, moved = true, 0
			}
		}
		if size != g.hi-g.lo || !beside {
			continue
		}
		for ; moved > 0 && s.up(g); moved-- {
			*o = other.groupBefore(*o)
		}
	}
}
