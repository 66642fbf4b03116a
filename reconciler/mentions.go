package reconciler

import (
	"bytes"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/sluicehq/sluice/profile"
)

// mentions says of a word whether more than one file has it, without having understood any
// file: a profile bears a name that stands in its file, unless it writes it with an escape.
// A word has two counters. Those that words share count too much, so that it errs to one
// side only.
type mentions struct {
	counters []atomic.Uint32 // each of sixteen, of two bits: files that have a word of it, none, one or several
	mask     uint64
}

const (
	countersForFile = 256 // which is room: a file has a few words that stand in no other
	minCounters     = 1 << 16
	maxCounters     = 1 << 26
	several         = 2
)

func newMentions(files int) *mentions {
	n := min(max(1<<bits.Len(uint(files*countersForFile)), minCounters), maxCounters)
	return &mentions{counters: make([]atomic.Uint32, n/16), mask: uint64(n - 1)}
}

// read counts the words of a file, several files at once.
func (m *mentions) read(src []byte) {
	words := make([]uint64, 0, 256) // enough for most
	for i := 0; i < len(src); i++ {
		hash, from := uint64(offset64), i
		for ; i < len(src) && ofName[src[i]]; i++ {
			hash = (hash ^ uint64(src[i])) * prime64
		}
		if n := i - from; n > 0 && n <= profile.MaxNameLength {
			words = append(words, hash)
		}
	}
	slices.Sort(words)
	for i, hash := range words {
		if i == 0 || hash != words[i-1] {
			one, other := m.countersOf(hash)
			m.count(one)
			m.count(other)
		}
	}
}

// bear counts a name that does not stand in the file that bears it.
func (m *mentions) bear(name string) { m.read([]byte(name)) }

// alone says that no file but the one that bears it has the name in it. True is certain
// once all are read.
func (m *mentions) alone(name string) bool {
	hash := uint64(offset64)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * prime64
	}
	one, other := m.countersOf(hash)
	return m.counted(one) < several || m.counted(other) < several
}

// countersOf are the counters of a word. The upper half of its hash hardly knows its last
// letters: they are mixed in.
func (m *mentions) countersOf(hash uint64) (one, other uint64) {
	return hash & m.mask, (hash ^ hash>>32) * mix64 >> 32 & m.mask
}

func (m *mentions) counted(counter uint64) uint32 {
	return m.counters[counter/16].Load() >> (counter % 16 * 2) & 3
}

func (m *mentions) count(counter uint64) {
	for {
		all := m.counters[counter/16].Load()
		if all>>(counter%16*2)&3 >= several || m.counters[counter/16].CompareAndSwap(all, all+1<<(counter%16*2)) {
			return
		}
	}
}

// escapes says that a file may bear a name that does not stand in it.
func escapes(src []byte) bool { return bytes.IndexByte(src, '\\') >= 0 }

// The hash is FNV-1a, taken along while a word is read.
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
	mix64    = 0x9e3779b97f4a7c15 // odd, and half of its bits are set
)

// ofName are the bytes of which names are made.
var ofName = func() (of [256]bool) {
	for b := range 256 {
		of[b] = profile.ValidName("a"+string(rune(b))) == nil && b < 0x80
	}
	return of
}()
