package textmerge

import (
	"bytes"
	"slices"
)

// Budget bounds the work of one or several merges.
type Budget struct{ left int }

// NewBudget returns a budget of that many looks at a line.
func NewBudget(looks int) *Budget { return &Budget{left: looks} }

// spend takes work off the budget and reports whether there was enough.
func (b *Budget) spend(looks int) bool {
	b.left -= looks
	return b.left > 0
}

// Merge merges what ours and theirs made of base. When it is not clean there is a conflict and no result. Binary
// content is not for this function: see Binary.
func Merge(base, ours, theirs []byte, budget *Budget) (merged []byte, clean bool) {
	switch {
	case bytes.Equal(ours, theirs), bytes.Equal(base, theirs):
		return ours, true
	case bytes.Equal(base, ours):
		return theirs, true
	}
	n := numbering{}
	o, a, b := n.lines(base), n.lines(ours), n.lines(theirs)
	ofOurs, ofTheirs := hunks(o, a, len(n), budget), hunks(o, b, len(n), budget)
	var out []byte
	done, shift, shiftTheirs := 0, 0, 0 // base lines merged, and where they lie in ours and theirs
	for len(ofOurs) > 0 || len(ofTheirs) > 0 {
		r := nextRegion(&ofOurs, &ofTheirs)
		out = appendLines(out, a, done+shift, r.lo+shift)
		mine := a.texts[r.lo+shift : r.hi+shift+r.ours]
		others := b.texts[r.lo+shiftTheirs : r.hi+shiftTheirs+r.theirs]
		switch {
		case !r.byTheirs, slices.EqualFunc(mine, others, bytes.Equal):
			out = append(out, bytes.Join(mine, nil)...)
		case !r.byOurs:
			out = append(out, bytes.Join(others, nil)...)
		default:
			return nil, false
		}
		done, shift, shiftTheirs = r.hi, shift+r.ours, shiftTheirs+r.theirs
	}
	return appendLines(out, a, done+shift, len(a.texts)), true
}

// Binary reports whether Git would take the content for binary and not merge it.
func Binary(content []byte) bool {
	return bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0
}

// region is a part of the base, from line lo up to hi, that changes of one copy or of both cover.
type region struct {
	lo, hi           int
	byOurs, byTheirs bool
	ours, theirs     int // how many lines longer the copies have it
}

// nextRegion takes the first changes off both lists that belong together, because they overlap or touch.
func nextRegion(ours, theirs *[]hunk) region {
	first := ours
	if len(*ours) == 0 || len(*theirs) > 0 && (*theirs)[0].lo < (*ours)[0].lo {
		first = theirs
	}
	r := region{lo: (*first)[0].lo, hi: (*first)[0].lo}
	for {
		switch {
		case len(*ours) > 0 && (*ours)[0].lo <= r.hi:
			h := (*ours)[0]
			*ours, r.byOurs, r.hi, r.ours = (*ours)[1:], true, max(r.hi, h.hi), r.ours+h.grows
		case len(*theirs) > 0 && (*theirs)[0].lo <= r.hi:
			h := (*theirs)[0]
			*theirs, r.byTheirs, r.hi, r.theirs = (*theirs)[1:], true, max(r.hi, h.hi), r.theirs+h.grows
		default:
			return r
		}
	}
}

func appendLines(out []byte, t text, from, to int) []byte {
	for _, line := range t.texts[from:to] {
		out = append(out, line...)
	}
	return out
}

// text is a content as lines; equal lines have equal numbers.
type text struct {
	texts   [][]byte // with their line breaks
	numbers []int32
}

// numbering gives equal lines equal numbers.
type numbering map[string]int32

func (n numbering) lines(content []byte) text {
	var t text
	for line := range bytes.Lines(content) {
		number, known := n[string(line)]
		if !known {
			number = int32(len(n))
			n[string(line)] = number
		}
		t.texts, t.numbers = append(t.texts, line), append(t.numbers, number)
	}
	return t
}
