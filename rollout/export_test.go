package rollout

import "time"

// DecideUnread decides without samples, and says which would be looked at.
func DecideUnread(d Deployment, snap Snapshot, now time.Time) (Decision, []Reading) {
	s, dec := decideUnread(d, snap, now)
	return dec, s.readings()
}

// DecideAgain decides as the engine does, with the samples that read reads into the snapshot.
func DecideAgain(d Deployment, snap Snapshot, now time.Time, read func([]Reading)) Decision {
	s, _ := decideUnread(d, snap, now)
	read(s.readings())
	return s.again(snap)
}
