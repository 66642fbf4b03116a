package forgetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// proposal changes one file, makes one and deletes one.
func (b *bench) proposal(branch string) forge.Proposal {
	changed, made := "timeout: 30s\n", "new: true\n"
	return forge.Proposal{
		Base: "main", From: b.f.Repo.Git("rev-parse", "origin/main"), Branch: branch,
		Files:   map[string]*string{"a/payment.yaml": &changed, "a/b/new.yaml": &made, "old.yaml": nil},
		Message: "Revert payment\n\nIt was rolled back.", Title: "Revert payment", Body: "It was **rolled back**.",
	}
}

// seed gives main what proposal changes.
func (b *bench) seed() {
	b.f.Repo.Write("a/payment.yaml", "timeout: 5s\n")
	b.f.Repo.Write("old.yaml", "old: true\n")
	b.f.Repo.Write("kept.yaml", "kept: true\n")
	b.f.Repo.Commit("seed")
	b.f.Repo.Push()
}

// proposed fails the test unless exactly one open pull request proposes the change.
func (b *bench) proposed(t *testing.T, pr forge.PullRequest, p forge.Proposal) {
	t.Helper()
	open := 0
	for _, there := range b.f.Pulls() {
		if there.Open && there.Branch == p.Branch {
			open++
		}
	}
	if open != 1 || !pr.Open || pr.HeadBranch != p.Branch || pr.Branch != "main" || pr.Title != p.Title || pr.Fork || pr.Author != b.f.Me {
		t.Errorf("%d are open, returned %+v", open, pr)
	}
	if body := b.f.Pull(pr.Number).Body; body != p.Body {
		t.Errorf("body %q", body)
	}
	const want = `--- /dev/null
+++ b/a/b/new.yaml
+new: true
--- a/a/payment.yaml
+++ b/a/payment.yaml
-timeout: 5s
+timeout: 30s
--- a/old.yaml
+++ /dev/null
-old: true`
	var changed []string
	diff := b.f.Repo.Git("--git-dir", b.f.Repo.Bare, "diff", "--no-color", "--no-renames", "-U0", p.From, p.Branch)
	for line := range strings.SplitSeq(diff, "\n") {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			changed = append(changed, line)
		}
	}
	if got := strings.Join(changed, "\n"); got != want {
		t.Errorf("it changes\n%s\nwant\n%s", got, want)
	}
	if behind := b.f.Repo.Git("--git-dir", b.f.Repo.Bare, "rev-list", "--count", p.From+".."+p.Branch); behind != "1" {
		t.Errorf("%s commits, want 1", behind)
	}
}

// proposals: a new one, and again.
func proposals(t *testing.T, k Kind) {
	b := k.setup(t)
	b.seed()
	p := b.proposal("sluice/revert-1")
	first, err := b.host.Propose(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	b.proposed(t, first, p)
	again, err := b.host.Propose(t.Context(), p)
	if err != nil || again.Number != first.Number || again.Head != first.Head {
		t.Errorf("again: %+v, %v, want %+v", again, err, first)
	}
	rivals := b.proposal("sluice/revert-3")
	var all sync.WaitGroup
	won := make(chan forge.PullRequest, 3)
	for range 3 {
		all.Go(func() {
			pr, err := b.host.Propose(t.Context(), rivals)
			for range 5 { // who lost a race tries again, as the outbox does
				if err == nil || errors.Is(err, forge.ErrTerminal) {
					break
				}
				pr, err = b.host.Propose(t.Context(), rivals)
			}
			if err != nil {
				t.Errorf("beside others: %v", err)
				return
			}
			won <- pr
		})
	}
	all.Wait()
	close(won)
	for pr := range won {
		b.proposed(t, pr, rivals)
	}
	nothing := b.proposal("sluice/revert-2")
	same := "kept: true\n"
	nothing.Files = map[string]*string{"kept.yaml": &same}
	if pr, err := b.host.Propose(t.Context(), nothing); !errors.Is(err, forge.ErrTerminal) {
		t.Errorf("no change: %+v, error %v, want ErrTerminal", pr, err)
	}
}

// proposalsAfterLoss: whichever answer is lost, another try ends with one pull request.
func proposalsAfterLoss(t *testing.T, k Kind) {
	b := k.setup(t)
	b.seed()
	for lost := 0; ; lost++ {
		if lost > 30 {
			t.Fatal("a proposal takes more than 30 requests")
		}
		p := b.proposal(fmt.Sprintf("sluice/revert-%d", lost))
		b.f.Inject(fakeforge.Fault{Cut: true, Skip: lost})
		pr, err := b.host.Propose(t.Context(), p)
		b.f.Heal()
		whole := err == nil
		if !whole {
			if errors.Is(err, forge.ErrTerminal) {
				t.Errorf("answer %d lost: error %v, want one worth trying again", lost, err)
			}
			if pr, err = b.host.Propose(t.Context(), p); err != nil {
				t.Errorf("answer %d lost, again: %v", lost, err)
				continue
			}
		}
		b.proposed(t, pr, p)
		if whole && lost > 2 {
			return // it takes no more requests than were lost
		}
	}
}
