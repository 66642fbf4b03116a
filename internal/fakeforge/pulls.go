package fakeforge

import (
	"fmt"
	"slices"
	"time"
)

// Pull is a pull request as the forge keeps it.
type Pull struct {
	Number      int
	Title, Body string
	Author      string // login
	Branch      string // of its head
	Base        string // branch that it goes into
	Fork        string // owner of the fork that the branch is in, "" for the repository itself
	Head        string // commit
	Start       string // commit of the base that it was opened, or merged, on
	Open        bool
	Draft       bool
	Merged      bool
	MergeCommit string
	MergedAt    time.Time
	Heads       []Head // that it has had, oldest first
	Created     time.Time
	Updated     time.Time
	Reviews     []Review
	Comments    []Comment
}

// Head is one head of a pull request, and when it came.
type Head struct {
	Commit string
	At     time.Time
}

// PushBranch adds a commit of files to a branch, which it makes from main when
// there is none; nil deletes a file. It returns the commit.
func (f *Forge) PushBranch(branch, author string, files map[string]*string) string {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	ref := "refs/heads/" + branch
	parent := f.resolve(ref)
	if parent == "" {
		parent = f.resolve("refs/heads/main")
	}
	commit := f.must(f.commit(parent, author, "work on "+branch, files))
	f.must(f.git("update-ref", ref, commit))
	f.refresh()
	return commit
}

// Open opens a pull request of a branch into main.
func (f *Forge) Open(branch, title, author string) int {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.open(Pull{Title: title, Author: author, Branch: branch, Base: "main"})
	if err != nil {
		f.t.Fatal(err)
	}
	return p.Number
}

// OpenFork opens a pull request into main from a branch of somebody's fork,
// which changes files. Nothing of it is in the repository but its ref.
func (f *Forge) OpenFork(branch, title, author string, files map[string]*string) int {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	head := f.must(f.commit(f.resolve("refs/heads/main"), author, title, files))
	p, err := f.open(Pull{Title: title, Author: author, Branch: branch, Base: "main", Fork: author, Head: head})
	if err != nil {
		f.t.Fatal(err)
	}
	return p.Number
}

// Change adds a commit of files to a pull request's branch and returns it.
func (f *Forge) Change(number int, author string, files map[string]*string) string {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.mustPull(number)
	commit := f.must(f.commit(p.Head, author, "more of "+p.Branch, files))
	if p.Fork == "" {
		f.must(f.git("update-ref", "refs/heads/"+p.Branch, commit))
	} else {
		f.move(p, commit)
	}
	f.refresh()
	return commit
}

// Merge makes the merge commit of a pull request on its base and returns it. The
// clone's main follows.
func (f *Forge) Merge(number int) string {
	f.t.Helper()
	return f.merge(number, func(p *Pull, base string) string {
		tree := f.must(f.git("merge-tree", "--write-tree", base, p.Head))
		message := fmt.Sprintf("Merge pull request #%d from %s\n\n%s\n", p.Number, p.Branch, p.Title)
		return f.must(f.gitInput(message, author(p.Author), "commit-tree", tree, "-p", base, "-p", p.Head))
	})
}

// Squash merges a pull request as one commit and returns it.
func (f *Forge) Squash(number int) string {
	f.t.Helper()
	return f.merge(number, func(p *Pull, base string) string {
		tree := f.must(f.git("merge-tree", "--write-tree", base, p.Head))
		return f.must(f.gitInput(fmt.Sprintf("%s (#%d)\n", p.Title, p.Number), author(p.Author), "commit-tree", tree, "-p", base))
	})
}

func (f *Forge) merge(number int, commit func(p *Pull, base string) string) string {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	p := f.mustPull(number)
	if !p.Open {
		f.t.Fatalf("fakeforge: pull request %d is not open", number)
	}
	base := f.resolve("refs/heads/" + p.Base)
	merged := commit(p, base)
	f.must(f.git("update-ref", "refs/heads/"+p.Base, merged, base))
	p.Open, p.Merged, p.MergeCommit, p.Start, p.Updated, p.MergedAt = false, true, merged, base, f.now(), f.now()
	if f.Repo.Git("branch", "--show-current") == p.Base {
		f.Repo.Git("pull", "--quiet", "--ff-only", "origin", p.Base)
	}
	return merged
}

// Close closes a pull request unmerged.
func (f *Forge) Close(number int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.mustPull(number)
	p.Open, p.Updated = false, f.now()
}

// Pull is a pull request as it is now.
func (f *Forge) Pull(number int) Pull {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	p := *f.mustPull(number)
	p.Reviews, p.Comments = slices.Clone(p.Reviews), slices.Clone(p.Comments)
	return p
}

// Pulls are all pull requests, oldest first.
func (f *Forge) Pulls() []Pull {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	var all []Pull
	for _, p := range f.pulls {
		all = append(all, *p)
	}
	return all
}

// open numbers and keeps a pull request. Its error is what the forge would say.
func (f *Forge) open(p Pull) (*Pull, error) {
	if p.Head == "" {
		p.Head = f.resolve("refs/heads/" + p.Branch)
	}
	if p.Head == "" {
		return nil, fmt.Errorf("fakeforge: no branch %s", p.Branch)
	}
	p.Number, p.Open, p.Created, p.Updated = len(f.pulls)+1, true, f.now(), f.now()
	p.Start = f.resolve("refs/heads/" + p.Base)
	f.pulls = append(f.pulls, &p)
	f.move(&p, p.Head)
	return &p, nil
}

// refresh lets pull requests follow pushes to their branches.
func (f *Forge) refresh() {
	for _, p := range f.pulls {
		if !p.Open || p.Fork != "" {
			continue
		}
		if head := f.resolve("refs/heads/" + p.Branch); head != "" && head != p.Head {
			f.move(p, head)
		}
	}
}

// move sets the head of a pull request and its ref.
func (f *Forge) move(p *Pull, head string) {
	if _, err := f.git("update-ref", f.speak.pullRef(p.Number), head); err != nil {
		f.t.Error(err)
	}
	p.Head, p.Updated = head, f.now()
	p.Heads = append(p.Heads, Head{Commit: head, At: p.Updated})
}

// pull is nil for a number that nothing has.
func (f *Forge) pull(number int) *Pull {
	if number < 1 || number > len(f.pulls) {
		return nil
	}
	return f.pulls[number-1]
}

func (f *Forge) mustPull(number int) *Pull {
	f.t.Helper()
	p := f.pull(number)
	if p == nil {
		f.t.Fatalf("fakeforge: no pull request %d", number)
	}
	return p
}

// brought lists the merged pull requests into a branch that brought a commit,
// and the open ones that hold it when none did.
func (f *Forge) brought(commit string) (merged, open []*Pull) {
	for _, p := range f.pulls {
		if p.Merged && (p.MergeCommit == commit || f.within(commit, p.Start, p.Head)) {
			merged = append(merged, p)
		}
		if p.Open && f.within(commit, p.Start, p.Head) {
			open = append(open, p)
		}
	}
	return merged, open
}

// within says whether a commit is reachable from head and not from base.
func (f *Forge) within(commit, base, head string) bool {
	return f.ancestor(commit, head) && !f.ancestor(commit, base)
}

func (f *Forge) must(out string, err error) string {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}
