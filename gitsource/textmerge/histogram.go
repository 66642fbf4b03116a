package textmerge

// mostCommon is how often a line may be in the base to be of use for finding what two texts share.
const mostCommon = 64

// span is a part of a text: the lines from lo up to hi.
type span struct{ lo, hi int }

func (s span) len() int { return s.hi - s.lo }

// histogram marks what differs between two texts: the run of equal lines is looked for that holds the rarest line of
// the base, the longest one of those; it stays, and what lies before it and behind it is compared in the same way.
type histogram struct {
	old, now *side
	budget   *Budget
	first    []int32 // by line number: 1 + its first place in the part that is looked at
	count    []int32 // by line number: how often it is there
	next     []int32 // by place: 1 + the next place of the same line
}

func (h *histogram) diff(a, b span) {
	for {
		if a.len() == 0 || b.len() == 0 || !h.budget.spend(a.len()+b.len()) {
			h.differ(a, b)
			return
		}
		r, found := h.run(a, b)
		if !found {
			h.differ(a, b)
			return
		}
		h.diff(span{a.lo, r.old.lo}, span{b.lo, r.now.lo})
		a, b = span{r.old.hi, a.hi}, span{r.now.hi, b.hi}
	}
}

// differ marks everything but the equal lines at both ends.
func (h *histogram) differ(a, b span) {
	for a.len() > 0 && b.len() > 0 && h.old.lines[a.lo] == h.now.lines[b.lo] {
		a.lo, b.lo = a.lo+1, b.lo+1
	}
	for a.len() > 0 && b.len() > 0 && h.old.lines[a.hi-1] == h.now.lines[b.hi-1] {
		a.hi, b.hi = a.hi-1, b.hi-1
	}
	for i := a.lo; i < a.hi; i++ {
		h.old.changed[i] = true
	}
	for i := b.lo; i < b.hi; i++ {
		h.now.changed[i] = true
	}
}

// run is a run of equal lines.
type run struct {
	old, now span
	rarest   int32 // how often its rarest line is in the base
}

// run finds the run to keep; false when the parts share no line that is rare enough.
func (h *histogram) run(a, b span) (run, bool) {
	for i := a.hi - 1; i >= a.lo; i-- {
		line := h.old.lines[i]
		h.next[i], h.first[line] = h.first[line], int32(i)+1
		h.count[line]++
	}
	best := run{rarest: mostCommon + 1}
	for at := b.lo; at < b.hi && h.budget.left > 0; {
		at = h.improve(&best, a, b, at)
	}
	for i := a.lo; i < a.hi; i++ {
		h.first[h.old.lines[i]], h.count[h.old.lines[i]] = 0, 0
	}
	return best, best.rarest <= mostCommon
}

// improve looks at the runs through one line of the new text, and returns the line to look at next.
func (h *histogram) improve(best *run, a, b span, at int) int {
	line := h.now.lines[at]
	next := at + 1
	if h.count[line] == 0 || h.count[line] > best.rarest {
		return next
	}
	for place := h.first[line]; place > 0 && h.budget.left > 0; {
		r := h.grow(a, b, int(place)-1, at)
		next = max(next, r.now.hi)
		// Git counts a run of one line as nothing, so that only rarity makes it the best.
		if r.old.len()-1 > max(0, best.old.len()-1) || r.rarest < best.rarest {
			*best = r
		}
		for place > 0 && int(place) <= r.old.hi {
			place = h.next[place-1]
		}
	}
	return next
}

// grow makes the run through two equal lines as long as it can be.
func (h *histogram) grow(a, b span, i, j int) run {
	r := run{span{i, i + 1}, span{j, j + 1}, h.count[h.old.lines[i]]}
	for r.old.lo > a.lo && r.now.lo > b.lo && h.old.lines[r.old.lo-1] == h.now.lines[r.now.lo-1] {
		r.old.lo, r.now.lo = r.old.lo-1, r.now.lo-1
		r.rarest = min(r.rarest, h.count[h.old.lines[r.old.lo]])
	}
	for r.old.hi < a.hi && r.now.hi < b.hi && h.old.lines[r.old.hi] == h.now.lines[r.now.hi] {
		r.rarest = min(r.rarest, h.count[h.old.lines[r.old.hi]])
		r.old.hi, r.now.hi = r.old.hi+1, r.now.hi+1
	}
	h.budget.spend(r.old.len())
	return r
}
