package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
)

// desk is a forge with one merged pull request, 7, and the store and the orders
// of the commands in its comments.
type desk struct {
	forge.Host
	t           *testing.T
	pr          forge.PullRequest
	permissions map[string]forge.Permission
	comments    map[int64]forge.Comment
	broughtBy   map[string]int // commit -> pull request
	approvals   []forge.Approval

	deployments []rollout.Deployment
	plans       map[int64]map[string]int
	done        map[int64]bool
	answers     []string
	checks      int

	orders []string
	refuse error
	broken error // of the next order, once
}

const merged = "c0ffee"

// written is when every comment was written.
var written = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newDesk(t *testing.T) (*desk, *reconciler.Commands) {
	d := &desk{
		t:           t,
		pr:          forge.PullRequest{Number: 7, Author: "ann", Merged: true, MergeCommit: merged},
		permissions: map[string]forge.Permission{"ann": forge.Write, "max": forge.Maintain, "root": forge.Admin, "guest": forge.Read},
		comments:    map[int64]forge.Comment{}, broughtBy: map[string]int{merged: 7},
		plans: map[int64]map[string]int{}, done: map[int64]bool{},
		deployments: []rollout.Deployment{
			{ID: "d1", Profile: "payments", Version: "1.1.0", Previous: "1.0.0", Commit: merged, Kind: rollout.Forward, State: rollout.InProgress, Phase: 1},
			{ID: "d2", Profile: "search", Version: "2.0.0", Previous: "1.9.0", Commit: merged, Kind: rollout.Forward, State: rollout.Completed},
			{ID: "d0", Profile: "payments", Version: "1.0.1", Commit: merged, Kind: rollout.Forward, State: rollout.Superseded},
			{ID: "d3", Profile: "mail", Version: "3.0.0", Commit: "other", Kind: rollout.Forward, State: rollout.InProgress},
		},
	}
	return d, &reconciler.Commands{
		Source: "configs", Host: d, Store: d, Orders: d, Permission: forge.Maintain, Operators: []string{"Olga"},
		Check: func() { d.checks++ }, Now: func() time.Time { return written.Add(time.Minute) }, Logger: slog.New(slog.DiscardHandler),
	}
}

func (d *desk) PullRequest(context.Context, int) (forge.PullRequest, error) { return d.pr, nil }

func (d *desk) Permission(_ context.Context, user string) (forge.Permission, error) {
	return d.permissions[user], nil
}

func (d *desk) Comment(_ context.Context, _ int, id int64) (forge.Comment, error) {
	c, ok := d.comments[id]
	if !ok {
		return c, fmt.Errorf("comment %d: %w", id, forge.ErrNotFound)
	}
	return c, nil
}

func (d *desk) MergedBy(_ context.Context, commit string) (forge.PullRequest, bool, error) {
	n, ok := d.broughtBy[commit]
	return forge.PullRequest{Number: n}, ok, nil
}

func (d *desk) Approvals(context.Context, int) ([]forge.Approval, error) { return d.approvals, nil }

func (d *desk) CommitDeployments(_ context.Context, _, commit string) ([]rollout.Deployment, error) {
	return slices.DeleteFunc(slices.Clone(d.deployments), func(one rollout.Deployment) bool { return one.Commit != commit }), nil
}

func (d *desk) RecentDeployments(context.Context, string) ([]rollout.Deployment, error) {
	return d.deployments, nil
}

func (d *desk) AwaitingApprovals(context.Context, string) ([]rollout.Deployment, error) {
	return d.deployments, nil
}

func (d *desk) AskCheck(_ context.Context, source string, number int) error {
	d.orders = append(d.orders, fmt.Sprintf("check %s %d", source, number))
	return nil
}

func (d *desk) BeginCommand(_ context.Context, c rollout.Command, plan map[string]int) (map[string]int, bool, error) {
	if _, begun := d.plans[c.Comment]; !begun {
		d.plans[c.Comment] = maps.Clone(plan)
	}
	return d.plans[c.Comment], d.done[c.Comment], nil
}

func (d *desk) EndCommand(_ context.Context, c rollout.Command, answer rollout.Comment) error {
	d.done[c.Comment] = true
	if answer.Body != "" {
		d.answers = append(d.answers, answer.Body)
	}
	return nil
}

func (d *desk) Promote(_ context.Context, id string, phase int, actor, reason string) (rollout.Deployment, error) {
	return d.order(fmt.Sprintf("promote %s phase %d by %s: %s", id, phase, actor, reason), id)
}

func (d *desk) RollBack(_ context.Context, id, actor, reason string) (rollout.Deployment, error) {
	return d.order(fmt.Sprintf("rollback %s by %s: %s", id, actor, reason), id)
}

func (d *desk) order(what, id string) (rollout.Deployment, error) {
	if err := d.broken; err != nil {
		d.broken = nil
		return rollout.Deployment{}, err
	}
	if d.refuse != nil {
		return rollout.Deployment{}, d.refuse
	}
	d.orders = append(d.orders, what)
	i := slices.IndexFunc(d.deployments, func(one rollout.Deployment) bool { return one.ID == id })
	d.deployments[i].Explanation = "it is done"
	return d.deployments[i], nil
}

// asked is a comment on the pull request, as a webhook names it.
func asked(id int64) rollout.Command {
	return rollout.Command{Source: "configs", PullRequest: 7, Comment: id}
}

// writes makes somebody comment, and carries the comment out.
func (d *desk) writes(c *reconciler.Commands, id int64, author, body string) {
	d.t.Helper()
	d.comments[id] = forge.Comment{ID: id, Author: author, Body: body, UpdatedAt: written}
	if err := c.CarryOut(d.t.Context(), asked(id)); err != nil {
		d.t.Fatal(err)
	}
}

func TestCommandsInComments(t *testing.T) {
	t.Parallel()
	const none = ""
	for name, c := range map[string]struct {
		author, body string
		orders       []string
		answer       string // part of it
	}{
		"a rollback concerns what runs and what completed": {"max", "/sluice rollback errors everywhere",
			[]string{"rollback d1 by max via pull request 7: errors everywhere", "rollback d2 by max via pull request 7: errors everywhere"}, "@max rollback"},
		"a promotion concerns what is under way, in its phase": {"max", "Looks good.\n/sluice promote\n",
			[]string{"promote d1 phase 2 by max via pull request 7: "}, "`payments` 1.1.0: `it is done`"},
		"an admin may":                                {"root", "/sluice promote", []string{"promote d1 phase 2 by root via pull request 7: "}, "@root promote"},
		"an operator of the source may":               {"olga", "/sluice promote", []string{"promote d1 phase 2 by olga via pull request 7: "}, "@olga promote"},
		"a rollback needs a reason":                   {"max", "/sluice rollback", nil, "needs a reason"},
		"who may write may not run deployments":       {"ann", "/sluice rollback now", nil, "@ann this needs somebody"},
		"a reader gets no answer":                     {"guest", "/sluice rollback now", nil, none},
		"a stranger gets no answer":                   {"nobody", "/sluice rollback now", nil, none},
		"the author asks for a check of what is over": {"ann", "/sluice check", nil, "not open"},
		"an unknown word is answered with the others": {"ann", "/sluice fix", nil, "`/sluice rollback REASON`"},
		"a quotation asks for nothing":                {"max", "> /sluice promote\n", nil, none},
		"a word that begins so asks for nothing":      {"max", "/sluices promote", nil, none},
		"in the middle of a line it asks for nothing": {"max", "try /sluice promote", nil, none},
		"a login is never markup":                     {"max](http://x)", "/sluice promote", nil, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, commands := newDesk(t)
			d.writes(commands, 1, c.author, c.body)
			d.writes(commands, 1, c.author, c.body) // the delivery comes again
			if !slices.Equal(d.orders, c.orders) {
				t.Errorf("orders %q, want %q", d.orders, c.orders)
			}
			answers := strings.Join(d.answers, "\n---\n")
			if c.answer == none && answers != "" || !strings.Contains(answers, c.answer) || len(d.answers) > 1 {
				t.Errorf("answers %q, want one with %q", d.answers, c.answer)
			}
		})
	}
}

func TestACheckIsAskedForOnce(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	d.pr = forge.PullRequest{Number: 7, Author: "guest", Open: true} // who has no permission but that it is theirs
	for range 3 {
		d.writes(commands, 1, "guest", "/sluice check")
	}
	d.writes(commands, 2, "nobody", "/sluice check")
	if !slices.Equal(d.orders, []string{"check configs 7"}) || d.checks != 1 || len(d.answers) != 0 {
		t.Errorf("orders %q, woken %d times, answers %q, want one check and no word", d.orders, d.checks, d.answers)
	}
}

func TestAnInterruptedCommandGoesOnWithWhatItMeant(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	d.comments[1] = forge.Comment{ID: 1, Author: "max", Body: "/sluice promote", UpdatedAt: written}
	d.broken = errors.New("the database is away")
	if err := commands.CarryOut(t.Context(), asked(1)); err == nil {
		t.Fatal("the order failed and nobody hears of it: it would not be tried again")
	}
	d.deployments[0].Phase = 2 // it went on meanwhile
	if err := commands.CarryOut(t.Context(), asked(1)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"promote d1 phase 2 by max via pull request 7: "}; !slices.Equal(d.orders, want) {
		t.Errorf("orders %q, want %q: the phase that was meant", d.orders, want)
	}
}

func TestARefusedOrderIsAnswered(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	d.refuse = reconciler.Refused(errors.New("it moved on @all"))
	d.writes(commands, 1, "max", "/sluice promote")
	if len(d.answers) != 1 || !strings.Contains(d.answers[0], "moved on") {
		t.Errorf("answers %q, want the refusal", d.answers)
	}
}

func TestAPullRequestMergedCommitByCommitIsFound(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	d.pr.MergeCommit, d.broughtBy["other"] = "last", 7 // the last one changed no profile
	delete(d.broughtBy, merged)
	d.writes(commands, 1, "max", "/sluice promote")
	if want := []string{"promote d3 phase 1 by max via pull request 7: "}; !slices.Equal(d.orders, want) {
		t.Errorf("orders %q, want %q", d.orders, want)
	}
}

func TestAnOldCommentGivesNoOrders(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	commands.Now = func() time.Time { return written.Add(25 * time.Hour) } // its delivery was recorded, and sent again
	d.writes(commands, 1, "max", "/sluice rollback again")
	if len(d.orders)+len(d.answers) > 0 {
		t.Errorf("orders %q, answers %q", d.orders, d.answers)
	}
}

func TestADeletedCommentAsksForNothing(t *testing.T) {
	t.Parallel()
	d, commands := newDesk(t)
	if err := commands.CarryOut(t.Context(), asked(5)); err != nil || len(d.orders)+len(d.answers) > 0 {
		t.Errorf("%v, orders %q, answers %q", err, d.orders, d.answers)
	}
}

func TestReviewsLetADeploymentStart(t *testing.T) {
	t.Parallel()
	approve := func(users ...string) (out []forge.Approval) {
		for _, user := range users {
			out = append(out, forge.Approval{User: user, At: time.Now()})
		}
		return out
	}
	for name, c := range map[string]struct {
		approvals []forge.Approval
		commit    string
		want      []string
	}{
		"two people":                        {approve("max", "bob"), merged, []string{"d1 bob, max: approved in the review of pull request 7"}},
		"more than needed":                  {approve("max", "bob", "zoe"), merged, []string{"d1 bob, max, zoe: approved in the review of pull request 7"}},
		"one is not enough":                 {approve("max"), merged, nil},
		"one twice is one":                  {approve("max", "max"), merged, nil},
		"a commit that no pull request has": {approve("max", "bob"), "pushed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := newDesk(t)
			d.approvals = c.approvals
			d.deployments = []rollout.Deployment{{ID: "d1", Profile: "payments", Commit: c.commit, PullRequest: 7, Approvals: 2, State: rollout.Pending}}
			var started []string
			a := reconciler.NewApprovals(reconciler.ApprovalOptions{
				Source: "configs", Host: d, Store: d, Logger: slog.New(slog.DiscardHandler),
				Approve: func(_ context.Context, id, actor, reason string) error {
					started = append(started, id+" "+actor+": "+reason)
					return nil
				},
			})
			if err := a.Look(t.Context()); err != nil || !slices.Equal(started, c.want) {
				t.Errorf("started %q, %v, want %q", started, err, c.want)
			}
		})
	}
}
