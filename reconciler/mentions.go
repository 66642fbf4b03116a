package reconciler

import (
	"bytes"
	"math/bits"
	"sync/atomic"

	"github.com/sluicehq/sluice/profile"
)

// mentions says which file alone has a word in it, without having understood any file:
// a profile bears a name that stands in its file, unless it writes it with an escape.
// A word has two slots. Where two words share one nobody has either alone there, so that it
// errs to one side only.
type mentions struct {
	slots []atomic.Int32 // 0: no file has a word of the slot; i: file i-1 alone has; several
	mask  uint64
}

const (
	several      = -1
	slotsForFile = 64 // of which a file takes a few: keys and most values stand in many files
	minSlots     = 1 << 16
	maxSlots     = 1 << 22
)

func newMentions(files int) *mentions {
	n := min(max(1<<bits.Len(uint(files*slotsForFile)), minSlots), maxSlots)
	return &mentions{slots: make([]atomic.Int32, n), mask: uint64(n - 1)}
}

// read notes each word of a file, several files at once.
func (m *mentions) read(file int, src []byte) {
	for i := 0; i < len(src); i++ {
		hash, from := uint64(offset64), i
		for ; i < len(src) && ofName[src[i]]; i++ {
			hash = (hash ^ uint64(src[i])) * prime64
		}
		if n := i - from; n > 0 && n <= profile.MaxNameLength {
			m.note(file, hash)
		}
	}
}

// bear notes a name that a file bears.
func (m *mentions) bear(file int, name string) { m.read(file, []byte(name)) }

// alone says that no other file has the name in it. True is certain once all are read.
func (m *mentions) alone(file int, name string) bool {
	hash := uint64(offset64)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * prime64
	}
	one, other := m.slotsOf(hash)
	return one.Load() == int32(file+1) || other.Load() == int32(file+1)
}

func (m *mentions) note(file int, hash uint64) {
	one, other := m.slotsOf(hash)
	m.take(one, int32(file+1))
	m.take(other, int32(file+1))
}

func (m *mentions) take(slot *atomic.Int32, mine int32) {
	if had := slot.Load(); had != mine && had != several && !slot.CompareAndSwap(0, mine) {
		slot.Store(several)
	}
}

// slotsOf are the slots of a word. The upper half of its hash hardly knows its last letters:
// they are mixed in.
func (m *mentions) slotsOf(hash uint64) (one, other *atomic.Int32) {
	mixed := (hash ^ hash>>32) * mix64
	return &m.slots[hash&m.mask], &m.slots[mixed>>32&m.mask]
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
