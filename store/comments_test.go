package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// pullRequest is what comments are posted to, with what the daemon does about
// rollbacks.
type pullRequest struct {
	mu     sync.Mutex
	taken  []rollout.Comment
	tries  int
	answer func(c rollout.Comment, try int) error

	holds   []rollout.Hold // that were told of, in order
	reverts int
}

func (p *pullRequest) options() store.OutboxOptions {
	return store.OutboxOptions{
		Comment: func(_ context.Context, c rollout.Comment) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tries++
			if p.answer != nil {
				if err := p.answer(c, p.tries); err != nil {
					return err
				}
			}
			p.taken = append(p.taken, c)
			return nil
		},
		Rollback: func(_ context.Context, h rollout.Hold) (rollout.Comment, bool, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.holds = append(p.holds, h)
			return rollout.Comment{Source: "configs", PullRequest: 7, Key: "rollback", Basis: int64(len(p.holds)), Body: h.RefusedVersion + " " + h.RevertURL}, true, nil
		},
		Revert: func(_ context.Context, h rollout.Hold) (string, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.reverts++
			if p.reverts == 1 {
				return "", errors.New("the forge is away")
			}
			return "https://forge.example.com/pulls/8", nil
		},
	}
}

func (p *pullRequest) bodies() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.taken {
		out = append(out, c.Body)
	}
	return out
}

func (w *world) say(c rollout.Comment) {
	w.t.Helper()
	w.must(w.tx(func(tx *store.Tx) error { return tx.SetComment(w.t.Context(), c) }))
}

func (w *world) comments(number int) []store.PullRequestComment {
	w.t.Helper()
	comments, err := w.PullRequestComments(w.t.Context(), "configs", number)
	w.must(err)
	return comments
}

func check(body string) rollout.Comment {
	return rollout.Comment{Source: "configs", PullRequest: 7, Key: rollout.CheckComment, Body: body, Commit: commit,
		Remarks: []rollout.Remark{{Path: "a.yaml", Line: 3, Text: "no"}}}
}

func TestACommentIsPostedOnceAndOnlyItsLatestText(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.say(check("first"))
		w.say(check("second"))
		w.say(check("second"))
		p := &pullRequest{}
		w.outboxWith(p.options())
		w.eventually("the comment is posted", func() bool { return slices.Equal(p.bodies(), []string{"second"}) })
		got := w.comments(7)
		if len(got) != 1 || got[0].Revision != 2 || got[0].Commit != commit || len(got[0].Remarks) != 1 || got[0].Remarks[0].Line != 3 {
			t.Errorf("kept %+v, want one of revision 2 with its remark", got)
		}
		w.advance(time.Second) // or a new text would rest
		w.say(check("third"))
		w.eventually("the change is posted", func() bool { return slices.Equal(p.bodies(), []string{"second", "third"}) })
		w.eventually("it is marked", func() bool { c := w.comments(7)[0]; return c.PostedRevision == c.Revision && !c.PostedAt.IsZero() })
	})
}

// Hundreds of rollbacks change one comment hundreds of times.
func TestACommentRests(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		p := &pullRequest{}
		w.outboxWith(p.options())
		w.say(check("1 profile"))
		w.eventually("the comment is posted", func() bool { c := w.comments(7)[0]; return c.PostedRevision == 1 && c.Posts == 1 })
		w.must(w.raw(`UPDATE pull_request_comments SET posts = 60`)) // 3.6 s
		w.say(check("2 profiles"))
		w.say(check("3 profiles"))
		w.eventually("one job is left, and waits", func() bool {
			return w.rows(`river_job WHERE state IN ('available', 'running', 'scheduled')`) == 1 && w.rows(`river_job WHERE CAST(metadata AS TEXT) LIKE '%snooze%'`) >= 1
		})
		if got := p.bodies(); len(got) != 1 {
			t.Errorf("posted %q", got)
		}
		w.advance(3600 * time.Millisecond)
		w.eventually("the latest text is posted", func() bool { return slices.Equal(p.bodies(), []string{"1 profile", "3 profiles"}) })
	})
}

func TestAnOlderTextNeverTakesANewerOnesPlace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		newer, older := check("rolled back"), check("is being rolled back")
		newer.Basis, older.Basis = 9, 8
		w.say(newer)
		w.say(older)
		if got := w.comments(7); got[0].Body != newer.Body || got[0].Revision != 1 {
			t.Errorf("reads %q in revision %d, want the newer text", got[0].Body, got[0].Revision)
		}
	})
}

// limited is an error of a forge that says when it may be asked again.
type limited struct{}

func (limited) Error() string             { return "too many requests" }
func (limited) RetryAfter() time.Duration { return time.Second }

func TestWhatAForgeAnswersToAComment(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		gone := fmt.Errorf("pull request 7: %w", store.ErrTerminal)
		p := &pullRequest{answer: func(c rollout.Comment, try int) error {
			switch {
			case c.Body == "for nobody":
				return gone
			case try == 1:
				return limited{}
			case try == 2:
				panic("a bug")
			case try == 3:
				return errors.New("500")
			}
			return nil
		}}
		w.say(check("text"))
		w.outboxWith(p.options())
		for _, why := range []string{"too many requests", "panicked", "500"} {
			w.eventually("it fails: "+why, func() bool { return strings.Contains(w.comments(7)[0].PostError, why) })
			w.advance(time.Hour)
		}
		w.eventually("it is posted in the end", func() bool { return slices.Equal(p.bodies(), []string{"text"}) && w.comments(7)[0].PostError == "" })
		w.advance(time.Second)
		w.say(check("for nobody"))
		w.eventually("it is refused for good", func() bool { return strings.Contains(w.comments(7)[0].PostError, "pull request 7") })
		p.mu.Lock()
		tries := p.tries
		p.mu.Unlock()
		w.advance(24 * time.Hour)
		w.say(check("text again"))
		w.eventually("another text is tried anew", func() bool { return slices.Equal(p.bodies(), []string{"text", "text again"}) })
		if p.tries != tries+1 {
			t.Errorf("%d tries after the refusal, want the new text's one", p.tries-tries)
		}
	})
}

func TestACommentOfAProcessThatDiedIsPosted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.say(check("text"))
		w.must(w.raw(`DELETE FROM river_job`))
		w.must(w.raw(`UPDATE pull_request_comments SET posting_until = ` + w.either("1", "'2000-01-01'")))
		w.advance(time.Minute)
		p := &pullRequest{}
		w.outboxWith(p.options())
		w.eventually("it is posted", func() bool { return slices.Equal(p.bodies(), []string{"text"}) })
	})
}

// withPullRequests opens the database again, as a daemon does whose source has
// a forge with pull requests.
func (w *world) withPullRequests() {
	w.t.Helper()
	w.must(w.Close())
	s, err := store.Open(w.t.Context(), store.Options{URL: w.path, Now: w.clock, Connections: 6, Routing: store.Routing{PullRequests: true}})
	w.must(err)
	w.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func TestThePullRequestBehindARollbackIsToldAndReverted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.withPullRequests()
		p := &pullRequest{}
		w.outboxWith(p.options())
		d := w.create("1.1.0")
		w.happens(d, rollout.FactStarted, rollout.FactPhase)
		hold := rollout.Hold{Profile: payments, PinnedVersion: "1.0.0", RefusedVersion: "1.1.0", RefusedHash: "h", Reason: "sick", Actor: "gate", DeploymentID: d.ID, CreatedAt: w.clock()}
		dec := rollout.Decision{Next: w.read(d.ID), Changed: true, Hold: &hold, Facts: []rollout.Fact{fact(d, rollout.FactRollback), {
			Type: rollout.FactHoldBegun, EntityType: "profile", EntityID: payments, Actor: "gate", Details: map[string]any{},
		}}}
		w.must(w.Order(t.Context(), dec))
		w.eventually("it is told", func() bool { return slices.Equal(p.bodies(), []string{"1.1.0 "}) })
		w.advance(time.Minute) // the first try to open the revert failed
		const url = "https://forge.example.com/pulls/8"
		w.eventually("it is told of the revert", func() bool { return slices.Equal(p.bodies(), []string{"1.1.0 ", "1.1.0 " + url}) })
		if h, held, err := w.ActiveHold(t.Context(), payments); err != nil || !held || h.RevertURL != url {
			t.Errorf("hold %+v, %v, want it to name the revert", h, err)
		}
		if facts := w.facts(store.FactRevertProposed); len(facts) != 1 || facts[0].EntityID != payments {
			t.Errorf("audit has %v, want one revert proposed", facts)
		}
		w.happens(d, rollout.FactRolledBack)
		w.eventually("it hears of the end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.holds) == 3 })
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.reverts != 2 {
			t.Errorf("asked %d times for the revert, want the failure and the success", p.reverts)
		}
	})
}

func TestACommandIsKeptOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), rollout.Command{Source: "configs", PullRequest: 7, Comment: 99}
		kept, done, err := w.BeginCommand(ctx, c, map[string]int{"d1": 2})
		if err != nil || done || kept["d1"] != 2 {
			t.Fatalf("begun with %v, %v, %v", kept, done, err)
		}
		kept, done, err = w.BeginCommand(ctx, c, map[string]int{"d1": 3, "d2": 1}) // after a crash, the phase has moved on
		if err != nil || done || kept["d1"] != 2 || len(kept) != 1 {
			t.Fatalf("begun again with %v, %v, %v, want what was kept first", kept, done, err)
		}
		answer := rollout.Comment{Source: "configs", PullRequest: 7, Key: "command/99", Body: "done"}
		w.must(w.EndCommand(ctx, c, answer))
		w.must(w.EndCommand(ctx, c, answer))
		if _, done, err = w.BeginCommand(ctx, c, nil); err != nil || !done {
			t.Errorf("done %v, %v after its end", done, err)
		}
		if got := w.comments(7); len(got) != 1 || got[0].Body != "done" || got[0].Revision != 1 {
			t.Errorf("answers %+v, want one", got)
		}
	})
}

func TestWhatPullRequestsWereToldIsNotKeptForEver(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		p := &pullRequest{}
		stop := w.outboxWith(p.options())
		w.say(check("posted"))
		w.eventually("it is posted", func() bool { c := w.comments(7)[0]; return c.PostedRevision == c.Revision })
		stop()
		waiting := check("waits for its forge")
		waiting.PullRequest = 8
		w.say(waiting)
		if _, _, err := w.BeginCommand(t.Context(), rollout.Command{Source: "configs", PullRequest: 7, Comment: 99}, nil); err != nil {
			t.Fatal(err)
		}
		if removed := w.retained(store.DefaultRetention()); removed["pull_request_comments"]+removed["pull_request_commands"] != 0 {
			t.Errorf("removed %v at once", removed)
		}
		w.advance(91 * 24 * time.Hour)
		removed := w.retained(store.DefaultRetention())
		if removed["pull_request_comments"] != 1 || removed["pull_request_commands"] != 1 || len(w.comments(8)) != 1 {
			t.Errorf("removed %v, want the comment that was posted and the command", removed)
		}
	})
}
