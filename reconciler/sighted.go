package reconciler

import "time"

// sighted remembers when heads of the branch were seen that are not synced yet:
// from then on a change is on its way to the fleet, however often it fails.
type sighted struct {
	head  string
	at    time.Time // that head
	first time.Time // the first head since the source was in sync
}

// see notes where the branch is, and where the store.
func (s *sighted) see(head, synced string) {
	switch head {
	case synced:
		*s = sighted{}
		return
	case s.head:
		return
	}
	s.head, s.at = head, time.Now()
	if s.first.IsZero() {
		s.first = s.at
	}
}

// ago is how long ago the head was seen first.
func (s *sighted) ago(head string) time.Duration {
	if head != s.head {
		return 0
	}
	return time.Since(s.at)
}

// since is for how long the source has been behind, 0 when it is not.
func (s *sighted) since() time.Duration {
	if s.first.IsZero() {
		return 0
	}
	return time.Since(s.first)
}
