package profile

import "time"

// Origin says who manages a profile: a Git source or the API.
type Origin string

// The two origins of a profile.
const (
	OriginGit Origin = "Git"
	OriginAPI Origin = "API"
)

// Record is a profile as the daemon knows it: what its definition says, what
// is deployed and what should be.
type Record struct {
	Name        string
	Description string
	Service     string
	Environment Environment
	ServiceType ServiceType
	SchemaID    string
	Targets     Targets
	Strategy    Strategy
	Health      Health
	Windows     Windows
	Settings    map[string]any

	Origin       Origin
	Source       string   // ID of the source that manages it, "" for an API-managed one
	Path         string   // of its file in the repository
	Dependencies []string // files beside Path whose change can change the effective data

	// CurrentVersion is the last version whose deployment completed: the stable one.
	CurrentVersion string
	// DesiredVersion is the newest version that the origin made, deployed or not.
	DesiredVersion string
	Generation     int64 // of the newest assignment, only rises
	Retired        bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
	CreatedBy      string

	VersionCount    int
	DeploymentCount int
}

// Owner is who manages a profile.
type Owner struct {
	Source  string // "" is the API
	Retired bool   // the profile
}

// Placed is where a profile's file lies, and what else tells which commits concern it.
type Placed struct {
	Name         string
	Environment  Environment
	SchemaID     string
	Path         string
	Dependencies []string
	Retired      bool
}

// Placed is where the profile's file lies.
func (r Record) Placed() Placed {
	return Placed{r.Name, r.Environment, r.SchemaID, r.Path, r.Dependencies, r.Retired}
}

// Version is an immutable snapshot of one profile's effective data.
type Version struct {
	Profile     string
	Number      string // semantic version
	Data        Data
	Text        []byte // the canonical JSON of Data, where somebody has it already; Data may be nil then
	Hash        string // SHA-256, hex, of the canonical data
	SizeBytes   int
	SchemaID    string
	SchemaHash  string // of the schema that the data was validated against, "" without one
	ValidatedAt time.Time
	Description string
	Tags        []string
	Metadata    map[string]string
	Deprecated  string // the reason, "" while it is not deprecated

	Source      string
	Commit      string // SHA, "" for an upload
	Author      string // name <email> of the commit, or the user who uploaded
	Message     string // first line of the commit message
	PullRequest int
	// Superseded is true for a version that was made but not deployed because
	// a newer one arrived with it.
	Superseded bool
	CreatedAt  time.Time
	CreatedBy  string
}

// Canonical is the canonical JSON of the version's data.
func (v Version) Canonical() []byte {
	if v.Text != nil {
		return v.Text
	}
	return Canonical(v.Data)
}

// Stable is the last version of a profile whose deployment completed, and whom the
// profile is for.
type Stable struct {
	Profile     string
	Service     string
	Environment Environment
	Targets     Targets
	Version     string
	Hash        string
	Retired     bool // the profile: nobody should start with it any more
}
