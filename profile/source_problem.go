package profile

import "time"

// SourceProblem is a file of a source that made no version at its head. It is
// looked at again with every later commit.
type SourceProblem struct {
	Source  string
	Path    string
	Profile string // "" when the file is too broken to tell
	Commit  string
	Message string // the first problem, with its place
	Since   time.Time
}
