package api

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/sluicehq/sluice/coord"
)

// The two that a try must pass. What comes from one address soon has to wait. An
// account is shut to all addresses only after many more, and never to one from
// which its user is signed in: strangers must not lock anybody out.
var (
	withAddress = coord.Lenience{Tries: 10, Shortest: time.Minute, Longest: 15 * time.Minute}
	withAccount = coord.Lenience{Tries: 100, Shortest: time.Minute, Longest: 15 * time.Minute}
)

// maxTried bounds what is remembered of each kind. Those that come when it is full
// share one count: a flood of made-up names pushes nobody's out.
const maxTried = 20_000

// lockout refuses sign-ins after too many wrong passwords. It counts a try
// before the password is looked at, so that many at once are many. Where replicas
// share something they count together, and each keeps what it saw of that: while
// nothing is shared it goes on from there by itself.
type lockout struct {
	now    func() time.Time
	shared coord.Tries // nil for a process alone

	mu       sync.Mutex
	pairs    map[string]coord.Tried // by account and address
	accounts map[string]coord.Tried
	swept    time.Time
}

func newLockout(now func() time.Time, shared coord.Tries) *lockout {
	return &lockout{now: now, shared: shared, pairs: map[string]coord.Tried{}, accounts: map[string]coord.Tried{}}
}

func pairOf(account, address string) string { return account + "\x00" + address }

// begin counts a try; wait is above zero when it is refused. known says that the
// account's user is signed in from the address.
func (l *lockout) begin(ctx context.Context, account, address string, known bool) (wait time.Duration) {
	if l.shared == nil {
		return l.alone(account, address, known)
	}
	of, now, wait := l.asked(account, address, known)
	if wait > 0 {
		return wait
	}
	wide, narrow, wait, err := l.shared.Try(ctx, of, now)
	if err != nil {
		return l.alone(account, address, known)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[of.Wide], l.pairs[of.Narrow] = wide, narrow
	return wait
}

// asked is what a try counts as among all replicas, and how long it is refused by
// what this one knows. What bounds the keys here bounds them there.
func (l *lockout) asked(account, address string, known bool) (of coord.Try, now time.Time, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = l.now()
	of = coord.Try{
		Wide: l.key(l.accounts, account, now), Narrow: l.key(l.pairs, pairOf(account, address), now),
		OfWide: withAccount, OfNarrow: withAddress, Known: known,
	}
	wait = l.pairs[of.Narrow].Until.Sub(now)
	if strangers := l.accounts[of.Wide].Until.Sub(now); !known && strangers > 0 {
		wait = strangers
	}
	return of, now, max(wait, 0)
}

// alone counts a try in this process.
func (l *lockout) alone(account, address string, known bool) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !known {
		// Looked at before either counts: a refused try counts nowhere.
		if wait := l.accounts[l.key(l.accounts, account, now)].Until.Sub(now); wait > 0 {
			return wait
		}
	}
	key := l.key(l.pairs, pairOf(account, address), now)
	if l.pairs[key], wait = withAddress.Again(l.pairs[key], now); wait > 0 || known {
		return wait
	}
	key = l.key(l.accounts, account, now)
	l.accounts[key], _ = withAccount.Again(l.accounts[key], now)
	return 0
}

// shut says that strangers may not try the account now.
func (l *lockout) shut(account string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return l.accounts[l.key(l.accounts, account, now)].Until.After(now)
}

// right forgets the tries from an address that came to the right password. What
// others tried stays.
func (l *lockout) right(ctx context.Context, account, address string) {
	pair := pairOf(account, address)
	if l.shared != nil {
		// One that is not taken back is forgotten with time.
		_ = l.shared.Right(ctx, coord.Try{Wide: account, Narrow: pair, OfWide: withAccount, OfNarrow: withAddress})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pairs, pair)
	if t, ok := l.accounts[account]; ok && t.Times < withAccount.Tries {
		t.Times--
		l.accounts[account] = t
	}
}

// overflow is the key of those that there is no room for. No account is named so.
const overflow = "\x00"

func (l *lockout) key(of map[string]coord.Tried, key string, now time.Time) string {
	if _, ok := of[key]; ok || len(of) < maxTried {
		return key
	}
	if now.Sub(l.swept) > time.Second { // not for each of a flood
		l.swept = now
		over := func(_ string, t coord.Tried) bool { return t.Over(now) }
		maps.DeleteFunc(l.pairs, over)
		maps.DeleteFunc(l.accounts, over)
		if len(of) < maxTried {
			return key
		}
	}
	return overflow
}
