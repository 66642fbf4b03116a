package web

import (
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// SourcesView is the list of sources.
type SourcesView struct{ Items []SourceItem }

// SourceItem is a source in a list.
type SourceItem struct {
	wire.Source
	Unusable int // files at its head
}

// SourceView is one source with its newest commits.
type SourceView struct {
	wire.Source
	Asked    *Asked // who had it looked at last, nil for nobody that is known
	Problems []SourceProblem
	Commits  []SourceCommit
}

// Asked is somebody who asked for something.
type Asked struct {
	By string
	At time.Time
}

// SourceProblem is a file at the head of which no version could be made.
type SourceProblem struct {
	Path, Profile, Commit, Message string
	Known                          bool // the profile, of an earlier content
	Since                          time.Time
}

// SourceCommit is one commit and what it became.
type SourceCommit struct {
	Commit, Message, Author string
	PullRequest             int
	At                      time.Time // when Sluice read it
	Whole                   *wire.CommitStatus
	Parts                   []CommitPart
	More                    int // that are not shown
}

// CommitPart is what a commit became on one profile. Version is empty where the
// profile could not be made into one, Deployment where it was not deployed.
type CommitPart struct {
	Profile, Version            string
	Deployment, DeploymentState string
	Superseded                  bool
	Known                       bool // the profile; false where no version was ever made
	Status                      *wire.CommitStatus
}

// sourceState is a source's state in a word.
func sourceState(s wire.Source) string {
	switch {
	case s.LastError != "":
		return "Failing"
	case s.SyncedAt == nil:
		return "New"
	}
	return "Synced"
}
