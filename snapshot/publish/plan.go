package publish

import (
	"maps"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
)

// renewals is how often a snapshot is signed anew within its greatest age. When the daemons
// are away, the rest of that age is left to every one.
const renewals = 3

// kept is what is known of one file: its mark when it was looked at, and what it holds.
type kept struct {
	mark string
	snap snapshot.Snapshot // without data; zero for a file that is no snapshot of ours
}

// plan is what a pass has to do.
type plan struct {
	write  []profile.Stable // what is wrong or missing first, what is only old last
	remove []string         // files
}

// compare says what differs between what should be there and what is.
func compare(now time.Time, maxAge time.Duration, want []profile.Stable, have map[string]kept) plan {
	var p plan
	var old []profile.Stable
	for _, v := range want {
		file := snapshot.FileName(v.Profile)
		k, there := have[file]
		switch {
		case v.Retired && there:
			p.remove = append(p.remove, file)
		case v.Retired:
		case !there || !says(k.snap, v):
			p.write = append(p.write, v)
		case now.Sub(k.snap.WrittenAt) > maxAge/renewals:
			old = append(old, v)
		}
	}
	p.write = append(p.write, old...)
	return p
}

// says reports whether a snapshot is that of a stable version.
func says(s snapshot.Snapshot, v profile.Stable) bool {
	return s.Profile == v.Profile && s.Service == v.Service && s.Environment == v.Environment && maps.Equal(s.Labels, v.Targets.Labels) &&
		s.Version == v.Version && s.Hash == v.Hash
}

// oldest is when the oldest of those was written that should be there and are; zero for none.
func oldest(want []profile.Stable, have map[string]kept) time.Time {
	var first time.Time
	for _, v := range want {
		k, there := have[snapshot.FileName(v.Profile)]
		if !there || v.Retired || k.snap.WrittenAt.IsZero() {
			continue
		}
		if first.IsZero() || k.snap.WrittenAt.Before(first) {
			first = k.snap.WrittenAt
		}
	}
	return first
}
