package web

import (
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// Standing is how what runs of a profile stands to what its origin says.
type Standing string

// The standings. While a deployment is under way beyond its start, what it does
// is said instead.
const (
	InSync     Standing = "InSync"     // the same
	Behind     Standing = "Behind"     // another version runs, and nothing is on its way
	OnHold     Standing = "OnHold"     // another version runs, and is meant to
	RollingOut Standing = "RollingOut" // a deployment is under way
	Retired    Standing = "Retired"    // gone from its origin
	NoVersion  Standing = "NoVersion"  // there is nothing to run yet
)

// StandingOf says how a profile stands; active is its deployment under way, nil
// for none.
func StandingOf(c wire.Config, active *wire.Deployment) Standing {
	switch {
	case active != nil && active.Status == "InProgress":
		return RollingOut
	case active != nil:
		return Standing(active.Status)
	case c.Retired:
		return Retired
	case c.Hold != nil:
		return OnHold
	case c.DesiredVersion == "":
		return NoVersion
	case c.DesiredVersion != c.CurrentVersion:
		return Behind
	}
	return InSync
}

// ProfileRow is one profile of the list.
type ProfileRow struct {
	wire.Config
	Standing Standing
	Active   *wire.Deployment // nil for none
}

// ProfileFilter is what a list of profiles is narrowed to, as the query says it.
type ProfileFilter struct {
	Search, Environment, ServiceType, Source, Held, Retired string
}

// Narrow says that some profiles are left out on purpose.
func (f ProfileFilter) Narrow() bool { return f != ProfileFilter{} }

// ProfilesView is what the list of profiles shows.
type ProfilesView struct {
	Rows                                []ProfileRow
	Filter                              ProfileFilter
	Environments, ServiceTypes, Sources []string
	Pager                               Pager
}

// ProfileView is what the page of one profile shows.
type ProfileView struct {
	ProfileRow
	Instances   Spread
	Versions    []VersionRow
	Deployments []wire.Deployment
	MoreRan     int // deployments beside those
	Denied      *Denied
	Settings    string // as YAML, "" without any
}

// Denied is a deny window that is open.
type Denied struct {
	Rule  string
	Until time.Time
}

// VersionRow is one version of a list, with the one before it.
type VersionRow struct {
	wire.Version
	Before string // "" for the first, or where retention removed it
	Runs   bool
}

// VersionsView is what the list of a profile's versions shows.
type VersionsView struct {
	Profile  string
	Versions []VersionRow
	Pager    Pager
	// From and To are what is chosen to be compared at first.
	From, To string
}

// VersionView is what the page of one version shows.
type VersionView struct {
	wire.Version
	Profile wire.Config
	Data    string // as YAML, secrets masked
	Before  string
}

// DiffView is what the page of two versions shows.
type DiffView struct {
	Profile  string
	From, To string
	Known    []string // versions to choose from, newest first
	Diff     *wire.DiffResponse
	Lines    []DiffLine // of the two as YAML, secrets masked; none where they are too long
}

// Total counts the changes.
func (v DiffView) Total() int {
	return len(v.Diff.Diff.Added) + len(v.Diff.Diff.Removed) + len(v.Diff.Diff.Modified)
}

// RollbackView is what the page that asks for a profile's rollback shows.
type RollbackView struct {
	Profile   wire.Config
	Completed []string // versions that it can go to, newest completion first
	Chosen    string   // of them, "" when none was chosen
	Preview   *wire.RollbackPreview
	Refused   string // why there is no preview
	Reason    string // that was given before
}

// ReleaseView is what the page that asks for the end of a hold shows.
type ReleaseView struct {
	Profile wire.Config
	Reason  string // that was given before
}

// FreezeView is what the page of the freeze shows.
type FreezeView struct {
	Frozen        bool
	Active        int    // deployments under way
	Reason, Lasts string // that were given before
}

// Choice is one entry of a list to choose from.
type Choice struct{ Value, Label string }

// Choices are how long a freeze may be asked for.
func (FreezeView) Choices() []Choice {
	return []Choice{
		{"1h", "1 hour"}, {"4h", "4 hours"}, {"12h", "12 hours"}, {"24h", "1 day"}, {"72h", "3 days"}, {"168h", "1 week"},
		{"", "until somebody ends it"},
	}
}
