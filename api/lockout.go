package api

import (
	"maps"
	"sync"
	"time"
)

// lenience is how many tries something has, and for how long it is refused
// after them: the wait doubles with each further try, up to longest.
type lenience struct {
	tries             int
	shortest, longest time.Duration
}

// The two that a try must pass. What comes from one address soon has to wait. An
// account is shut to all addresses only after many more, and never to one from
// which its user is signed in: strangers must not lock anybody out.
var (
	withAddress = lenience{tries: 10, shortest: time.Minute, longest: 15 * time.Minute}
	withAccount = lenience{tries: 100, shortest: time.Minute, longest: 15 * time.Minute}
)

// forgiven is how long after the last try, or the end of the wait after it,
// everything is forgotten.
const forgiven = 15 * time.Minute

// tried is what is remembered of tries: how many, and until when there are no more.
type tried struct {
	times int
	last  time.Time
	until time.Time
}

// over says that nothing needs to be remembered any more.
func (t tried) over(now time.Time) bool {
	return now.Sub(t.last) > forgiven && now.Sub(t.until) > forgiven
}

// again is what follows from one more try: it counts, and is let through, when
// wait is zero. Refused tries do not count, so that a wait always ends.
func (p lenience) again(t tried, now time.Time) (after tried, wait time.Duration) {
	if wait := t.until.Sub(now); wait > 0 {
		return t, wait
	}
	if t.over(now) {
		t = tried{}
	}
	t.times++
	t.last = now
	if more := t.times - p.tries; more >= 0 {
		t.until = now.Add(min(p.shortest<<min(more, 10), p.longest))
	}
	return t, 0
}

// maxTried bounds what is remembered of each kind. Those that come when it is full
// share one count: a flood of made-up names pushes nobody's out.
const maxTried = 20_000

// lockout refuses sign-ins after too many wrong passwords. It counts a try
// before the password is looked at, so that many at once are many.
type lockout struct {
	now func() time.Time

	mu       sync.Mutex
	pairs    map[string]tried // by account and address
	accounts map[string]tried
	swept    time.Time
}

func newLockout(now func() time.Time) *lockout {
	return &lockout{now: now, pairs: map[string]tried{}, accounts: map[string]tried{}}
}

func pairOf(account, address string) string { return account + "\x00" + address }

// begin counts a try; wait is above zero when it is refused. known says that the
// account's user is signed in from the address.
func (l *lockout) begin(account, address string, known bool) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !known {
		// Looked at before either counts: a refused try counts nowhere.
		if wait := l.accounts[l.key(l.accounts, account, now)].until.Sub(now); wait > 0 {
			return wait
		}
	}
	key := l.key(l.pairs, pairOf(account, address), now)
	if l.pairs[key], wait = withAddress.again(l.pairs[key], now); wait > 0 || known {
		return wait
	}
	key = l.key(l.accounts, account, now)
	l.accounts[key], _ = withAccount.again(l.accounts[key], now)
	return 0
}

// shut says that strangers may not try the account now.
func (l *lockout) shut(account string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return l.accounts[l.key(l.accounts, account, now)].until.After(now)
}

// right forgets the tries from an address that came to the right password. What
// others tried stays.
func (l *lockout) right(account, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pairs, pairOf(account, address))
	if t, ok := l.accounts[account]; ok && t.times < withAccount.tries {
		t.times--
		l.accounts[account] = t
	}
}

// overflow is the key of those that there is no room for. No account is named so.
const overflow = "\x00"

func (l *lockout) key(of map[string]tried, key string, now time.Time) string {
	if _, ok := of[key]; ok || len(of) < maxTried {
		return key
	}
	if now.Sub(l.swept) > time.Second { // not for each of a flood
		l.swept = now
		over := func(_ string, t tried) bool { return t.over(now) }
		maps.DeleteFunc(l.pairs, over)
		maps.DeleteFunc(l.accounts, over)
		if len(of) < maxTried {
			return key
		}
	}
	return overflow
}
