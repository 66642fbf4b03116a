package rollout

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Freeze is the global switch: while it is in force nothing starts and nothing
// goes further, on any profile. What leads back is never held up by it.
type Freeze struct {
	Reason    string
	Actor     string
	BegunAt   time.Time
	ExpiresAt time.Time // zero: never by itself
	EndedAt   time.Time // zero: nobody ended it yet
	EndedBy   string
}

// InForce says whether the freeze holds at a time, by the database's clock. One
// that is nil does not, and one whose time is over ends without anybody's doing.
func (f *Freeze) InForce(now time.Time) bool {
	return f != nil && f.EndedAt.IsZero() && (f.ExpiresAt.IsZero() || now.Before(f.ExpiresAt))
}

// String says who froze, until when and why.
func (f *Freeze) String() string {
	until := ""
	if !f.ExpiresAt.IsZero() {
		until = " until " + f.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("frozen by %s%s%s", f.Actor, until, because(line(f.Reason)))
}

// barred says that the deployment may not go further now, and writes down why: a
// freeze is in force, or a deny window is open that it may not run into. It is
// asked before a deployment starts and before each further phase. What was
// forced is not held up, nor is what leads back.
func (s *step) barred() bool {
	if s.next.Force != "" || s.next.Kind != Forward || s.waitsForPerson() {
		return false
	}
	where := ""
	if s.next.State != Pending {
		where = s.position() + ": "
	}
	if f := s.snap.Freeze; f.InForce(s.now) {
		s.stand(AwaitingFreeze, "%s%s", where, f)
		s.wakeAt(s.now.Add(s.checkInterval()))
		if !f.ExpiresAt.IsZero() {
			s.wakeAt(f.ExpiresAt)
		}
		return true
	}
	if s.next.State != Pending && s.next.Windows.Overrun != profile.OverrunHold {
		return false
	}
	until, rule, denied := s.next.Windows.Denies(s.now)
	if denied {
		s.stand(AwaitingWindow, "%sthe deny window %q is open until %s", where, rule, until.UTC().Format(time.RFC3339))
		s.wakeAt(until)
	}
	return denied
}

// waitsForPerson says that a phase passed and nobody promoted it yet: that is
// what it goes on waiting for, whatever else would hold it up.
func (s *step) waitsForPerson() bool {
	return s.read.Awaiting == AwaitingPromotion && s.read.Phase == s.next.Phase && s.next.Promoted <= s.next.Phase
}
