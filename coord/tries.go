package coord

import (
	"context"
	"time"
)

// Lenience is how many tries something has, and for how long it is refused after
// them: the wait doubles with each further try, up to Longest.
type Lenience struct {
	Tries             int
	Shortest, Longest time.Duration
}

// Forgiven is how long after the last try, or the end of the wait after it,
// everything is forgotten.
const Forgiven = 15 * time.Minute

// Tried is what is remembered of tries: how many, and until when there are no more.
type Tried struct {
	Times int
	Last  time.Time
	Until time.Time
}

// Over says that nothing needs to be remembered any more.
func (t Tried) Over(now time.Time) bool {
	return now.Sub(t.Last) > Forgiven && now.Sub(t.Until) > Forgiven
}

// Again is what follows from one more try: it counts, and is let through, when
// wait is zero. Refused tries do not count, so that a wait always ends.
func (p Lenience) Again(t Tried, now time.Time) (after Tried, wait time.Duration) {
	if wait := t.Until.Sub(now); wait > 0 {
		return t, wait
	}
	if t.Over(now) {
		t = Tried{}
	}
	t.Times++
	t.Last = now
	if more := t.Times - p.Tries; more >= 0 {
		t.Until = now.Add(min(p.Shortest<<min(more, 10), p.Longest))
	}
	return t, 0
}

// Try is one that two counts must let through: a wide one, such as that of an account, and a
// narrow one within it, such as that of the account from one address.
type Try struct {
	Wide, Narrow     string
	OfWide, OfNarrow Lenience
	Known            bool // only the narrow one counts, and may refuse
}

// Tries counts tries among all replicas.
type Tries interface {
	// Try counts one, and says what is known of both counts then. A try that is refused,
	// for as long as wait, counts in neither.
	Try(ctx context.Context, t Try, now time.Time) (wide, narrow Tried, wait time.Duration, err error)
	// Right forgets the narrow count, and one of the wide one unless that refuses already.
	Right(ctx context.Context, t Try) error
}
