package textmerge_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/gitsource/textmerge"
)

const plenty = 50_000_000

func lines(s string) []byte { return []byte(strings.Join(strings.Fields(s), "\n") + "\n") }

// That merges are Git's is tested where there is a Git; these are the rules that hold whatever Git does.
func TestMergeKeepsWhatBothSidesDid(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]string{"a", "b", "c", "d", ""})
	words := rapid.SliceOfN(word, 0, 20)
	text := func(words []string) []byte { return []byte(strings.Join(words, "\n")) }
	rapid.Check(t, func(t *rapid.T) {
		base, ours, theirs := words.Draw(t, "base"), words.Draw(t, "ours"), words.Draw(t, "theirs")
		budget := func() *textmerge.Budget { return textmerge.NewBudget(plenty) }
		for name, c := range map[string]struct{ o, a, b, want []string }{
			"only ours": {base, ours, base, ours}, "only theirs": {base, base, theirs, theirs}, "the same": {base, ours, ours, ours},
		} {
			if got, clean := textmerge.Merge(text(c.o), text(c.a), text(c.b), budget()); !clean || !bytes.Equal(got, text(c.want)) {
				t.Errorf("%s: %q, %v", name, got, clean)
			}
		}
		one, ok := textmerge.Merge(text(base), text(ours), text(theirs), budget())
		other, ok2 := textmerge.Merge(text(base), text(theirs), text(ours), budget())
		if ok != ok2 || !bytes.Equal(one, other) {
			t.Errorf("one way %q, %v; the other way %q, %v", one, ok, other, ok2)
		}
	})
}

// What lies on two sides of a line that both kept merges, or is a conflict when there was no work left to find out:
// nothing is ever lost or made up.
func TestMergeWithoutBudgetIsNeverWrong(t *testing.T) {
	t.Parallel()
	words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		upper, lower, ours, theirs := words.Draw(t, "upper"), words.Draw(t, "lower"), words.Draw(t, "ours"), words.Draw(t, "theirs")
		text := func(above, below []string) []byte {
			return []byte(strings.Join(slices.Concat(above, []string{"=1=", "=2=", "=3="}, below), "\n") + "\n")
		}
		budget := textmerge.NewBudget(rapid.IntRange(0, 300).Draw(t, "budget"))
		got, clean := textmerge.Merge(text(upper, lower), text(ours, lower), text(upper, theirs), budget)
		if clean && !bytes.Equal(got, text(ours, theirs)) {
			t.Errorf("%q, want %q", got, text(ours, theirs))
		}
		got, clean = textmerge.Merge(text(upper, lower), text(ours, lower), text(upper, theirs), textmerge.NewBudget(plenty))
		if !clean || !bytes.Equal(got, text(ours, theirs)) {
			t.Errorf("with budget: %q, %v, want %q", got, clean, text(ours, theirs))
		}
	})
}

// Texts that are made to cost end with the budget. The first would take minutes without it.
func TestTextsThatAreMadeToCost(t *testing.T) {
	t.Parallel()
	const n = 60_000
	numbered := func(f func(i int) int) []byte {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintln(&b, f(i))
		}
		return b.Bytes()
	}
	rising := numbered(func(i int) int { return i })
	for name, c := range map[string]struct{ base, ours, theirs []byte }{
		"turned round":   {rising, numbered(func(i int) int { return n - i }), numbered(func(i int) int { return i + 1 })},
		"one line":       {bytes.Repeat([]byte("x\n"), n), bytes.Repeat([]byte("x\n"), n+1), bytes.Repeat([]byte("x\n"), n-1)},
		"two lines":      {bytes.Repeat([]byte("x\ny\n"), n), bytes.Repeat([]byte("y\nx\n"), n), bytes.Repeat([]byte("x\ny\nx\n"), n)},
		"short of usual": {numbered(func(i int) int { return i % (n / 64) }), numbered(func(i int) int { return (i + 7) % (n / 64) }), numbered(func(i int) int { return i % (n / 60) })},
		"no lines":       {bytes.Repeat([]byte("x"), n), bytes.Repeat([]byte("x"), n+1), bytes.Repeat([]byte("x"), n-1)},
	} {
		budget := textmerge.NewBudget(2_000_000)
		if got, clean := textmerge.Merge(c.base, c.ours, c.theirs, budget); clean {
			t.Errorf("%s: clean, %d bytes", name, len(got))
		}
		if over := budget.Overdrawn(); over > 1_000_000 {
			t.Errorf("%s: %d looks more than allowed", name, over)
		}
	}
}

func TestBinary(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{
		"": false, "text\n": false, "a\x00": true, strings.Repeat("x", 7999) + "\x00": true, strings.Repeat("x", 8000) + "\x00": false,
	} {
		if got := textmerge.Binary([]byte(content)); got != want {
			t.Errorf("Binary of %d bytes = %v", len(content), got)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(lines("a b c"), lines("a X c"), lines("a b Y"))
	f.Add([]byte("a"), []byte(""), []byte("a\n"))
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		got, clean := textmerge.Merge(base, ours, theirs, textmerge.NewBudget(100_000))
		if !clean {
			return
		}
		// Every line of the result is somebody's.
		known := map[string]bool{}
		for _, text := range [][]byte{base, ours, theirs} {
			for line := range bytes.Lines(text) {
				known[string(line)] = true
			}
		}
		for line := range bytes.Lines(got) {
			if !known[string(line)] {
				t.Errorf("%q is nobody's", line)
			}
		}
	})
}
