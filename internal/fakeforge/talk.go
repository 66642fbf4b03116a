package fakeforge

import (
	"slices"
	"time"
)

// Comment is one comment on a pull request.
type Comment struct {
	ID      int64
	Author  string // login
	Body    string
	Created time.Time
	Updated time.Time
	Edits   int
}

// CommentAs writes a comment and returns its id.
func (f *Forge) CommentAs(number int, author, body string) int64 {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.comment(f.mustPull(number), author, body).ID
}

// Comments are those of a pull request, oldest first.
func (f *Forge) Comments(number int) []Comment {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.mustPull(number).Comments)
}

// DeleteComment takes a comment away.
func (f *Forge) DeleteComment(number int, id int64) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.mustPull(number)
	p.Comments = slices.DeleteFunc(p.Comments, func(c Comment) bool { return c.ID == id })
}

func (f *Forge) comment(p *Pull, author, body string) *Comment {
	p.Updated = f.now()
	p.Comments = append(p.Comments, Comment{ID: f.id(), Author: author, Body: body, Created: f.now(), Updated: f.now()})
	return &p.Comments[len(p.Comments)-1]
}

// findComment looks through all pull requests; nil for none.
func (f *Forge) findComment(id int64) (*Pull, *Comment) {
	for _, p := range f.pulls {
		for i := range p.Comments {
			if p.Comments[i].ID == id {
				return p, &p.Comments[i]
			}
		}
	}
	return nil, nil
}

// Verdict is what a review says.
type Verdict string

// The verdicts.
const (
	Approved         Verdict = "approved"
	ChangesRequested Verdict = "changes requested"
	Remarked         Verdict = "remarked"
)

// Review is one review of a pull request.
type Review struct {
	ID        int64
	Author    string // login
	Verdict   Verdict
	Commit    string // that was reviewed
	Dismissed bool
	Body      string
	Remarks   []Remark
	At        time.Time
}

// Remark is a review's comment on a line.
type Remark struct {
	Path string
	Line int
	Body string
}

// Approve approves a pull request's head.
func (f *Forge) Approve(number int, user string) { f.t.Helper(); f.review(number, user, Approved) }

// RequestChanges asks for changes of a pull request's head.
func (f *Forge) RequestChanges(number int, user string) {
	f.t.Helper()
	f.review(number, user, ChangesRequested)
}

// Remark reviews without a verdict.
func (f *Forge) Remark(number int, user string) { f.t.Helper(); f.review(number, user, Remarked) }

func (f *Forge) review(number int, user string, v Verdict) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	p := f.mustPull(number)
	p.Reviews = append(p.Reviews, Review{ID: f.id(), Author: user, Verdict: v, Commit: p.Head, At: f.now()})
	p.Updated = f.now()
}

// Dismiss takes back the reviews of a user.
func (f *Forge) Dismiss(number int, user string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.mustPull(number)
	for i := range p.Reviews {
		if p.Reviews[i].Author == user && p.Reviews[i].Verdict != Remarked {
			p.Reviews[i].Dismissed = true
		}
	}
	p.Updated = f.now()
}

// Status is one commit status that was posted.
type Status struct {
	ID          int64
	SHA         string
	Context     string
	State       string // as the forge calls it
	Description string
	TargetURL   string
	Creator     string // login
	At          time.Time
}

// Statuses are all that were posted of a commit, oldest first.
func (f *Forge) Statuses(sha string) []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.statusesOf(sha)
}

// Shown is what a reader of the commit sees: the latest of each context.
func (f *Forge) Shown(sha string) map[string]Status {
	shown := map[string]Status{}
	for _, s := range f.Statuses(sha) {
		shown[s.Context] = s
	}
	return shown
}

func (f *Forge) statusesOf(sha string) []Status {
	var all []Status
	for _, s := range f.statuses {
		if s.SHA == sha {
			all = append(all, s)
		}
	}
	return all
}

// full says whether a context of a commit takes no more statuses.
func (f *Forge) full(sha, context string) bool {
	n := 0
	for _, s := range f.statusesOf(sha) {
		if s.Context == context {
			n++
		}
	}
	return n >= f.options.MaxStatuses
}

// CheckRun is one check run of a GitHub App.
type CheckRun struct {
	ID          int64
	Name        string
	SHA         string
	ExternalID  string
	Status      string
	Conclusion  string
	Summary     string
	Annotations []Remark
}

// CheckRuns are those of a commit, oldest first.
func (f *Forge) CheckRuns(sha string) []CheckRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []CheckRun
	for _, c := range f.checks {
		if c.SHA == sha {
			all = append(all, c)
		}
	}
	return all
}
