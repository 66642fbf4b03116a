package rollout

import "time"

// Comment is one comment on a pull request, as it should read.
type Comment struct {
	Source      string
	PullRequest int
	// Key tells Sluice's comments on one pull request apart: CheckComment, or one
	// of a rollback.
	Key  string
	Body string // Markdown
	// Basis rises with what the comment was made from: an older text never takes a
	// newer one's place.
	Basis int64

	Commit  string   // that the remarks are about
	Remarks []Remark // beside lines, where the forge shows them
}

// Command is a comment on a pull request that asks Sluice for something.
type Command struct {
	Source      string
	PullRequest int
	Comment     int64 // its ID at the forge
}

// CheckComment is the key of the comment that says what a pull request would do.
const CheckComment = "check"

// Remark is something to say about one line of a file.
type Remark struct {
	Path string `json:"path"`
	Line int    `json:"line"` // from 1 on
	Text string `json:"text"`
}

// CheckContext is the commit status context of a pull request's check. It is no
// part of the aggregate.
const CheckContext = "sluice/check"

// PullRequestCheck is what is remembered of the last check of a pull request.
type PullRequestCheck struct {
	Source      string
	PullRequest int
	Head, Base  string // commits whose merge was checked
	Passed      bool
	At          time.Time
	Essence     string // tells checks apart by what they say: what changes by itself is no part of it
	Asked       bool   // somebody asked for it again since
	Asks        int64  // how often somebody asked: a check answers those that it knew of
}
