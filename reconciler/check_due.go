package reconciler

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/rollout"
)

// dueCheck is a pull request that should be checked, and what is remembered of it.
type dueCheck struct {
	pr  forge.PullRequest
	was rollout.PullRequestCheck
	why urgency
}

// urgency is why a check is due, the most urgent first.
type urgency int

const (
	asked     urgency = iota // by a person
	changed                  // or never looked at
	baseMoved                // what the merge gives can be another
)

// dueChecks lists the pull requests whose check is not that of their head and the
// base, or was asked for, in the order to look at them. Those that fell sick
// wait.
func dueChecks(open []forge.PullRequest, known []rollout.PullRequestCheck, base string, sick map[int]sickness, now time.Time) []dueCheck {
	of := make(map[int]rollout.PullRequestCheck, len(known))
	for _, c := range known {
		of[c.PullRequest] = c
	}
	var due []dueCheck
	for _, pr := range open {
		d := dueCheck{pr: pr, was: of[pr.Number]}
		switch {
		case d.was.Asked:
			d.why = asked
		case d.was.Head != pr.Head:
			d.why = changed
		case d.was.Base != base:
			d.why = baseMoved
		default:
			continue
		}
		if now.Before(sick[pr.Number].until) {
			continue
		}
		due = append(due, d)
	}
	slices.SortStableFunc(due, func(a, b dueCheck) int {
		return cmp.Or(cmp.Compare(a.why, b.why), cmp.Compare(a.pr.Number, b.pr.Number))
	})
	return due
}

// essence tells forecasts apart by what the pull request would do. Where its
// base stands and who is there at the moment change by themselves: a busy branch
// must not write all comments anew.
func (f forecast) essence() string {
	f.Base = ""
	f.Profiles = slices.Clone(f.Profiles)
	for i := range f.Profiles {
		f.Profiles[i].Course, f.Profiles[i].Supersedes = nil, rollout.Deployment{}
	}
	sum := sha256.Sum256([]byte(string(f.status("").State) + "\n" + comment(f)))
	return hex.EncodeToString(sum[:])
}
