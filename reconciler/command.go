package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/rollout"
)

// Commands carries out what people ask for in comments on one source's pull
// requests. A comment is read at the forge, never taken from a webhook's payload.
type Commands struct {
	Source string
	Host   forge.Host
	Store  CommandStore
	Orders Orders
	// Permission is what somebody must have at the forge to order a rollback or a
	// promotion; forge.NoPermission leaves it to Operators alone.
	Permission forge.Permission
	Operators  []string // logins who may too
	Check      func()   // told of a check that was asked for
	Now        func() time.Time
	Logger     *slog.Logger
}

// CommandStore is what commands need of the database.
type CommandStore interface {
	// CommitDeployments lists the forward deployments of a source's commit, newest first.
	CommitDeployments(ctx context.Context, source, commit string) ([]rollout.Deployment, error)
	// RecentDeployments lists the source's newest forward deployments, newest first.
	RecentDeployments(ctx context.Context, source string) ([]rollout.Deployment, error)
	// AskCheck makes the pull request be checked once more.
	AskCheck(ctx context.Context, source string, pullRequest int) error
	// BeginCommand keeps once which deployments a command is about, and in which
	// phase each is meant.
	BeginCommand(ctx context.Context, c rollout.Command, plan map[string]int) (kept map[string]int, done bool, err error)
	// EndCommand says that a command was carried out, and what is answered.
	EndCommand(ctx context.Context, c rollout.Command, answer rollout.Comment) error
}

// Orders are what a command can do to a deployment.
type Orders interface {
	// Promote sends a deployment on from the phase that is meant, from 1 on.
	Promote(ctx context.Context, id string, phase int, actor, reason string) (rollout.Deployment, error)
	// RollBack takes a deployment back, also one that has completed.
	RollBack(ctx context.Context, id, actor, reason string) (rollout.Deployment, error)
}

// command is one line of a comment that speaks to Sluice.
type command struct {
	Verb string // "check", "promote", "rollback", or what else was written
	Rest string
}

// request is a command with the comment that it stands in.
type request struct {
	rollout.Command
	command
	author string // login
}

// commandPrefix begins a line that speaks to Sluice.
const commandPrefix = "/sluice"

// parseCommand finds the first line of a comment that speaks to Sluice.
func parseCommand(body string) (command, bool) {
	for line := range strings.Lines(body) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != commandPrefix || !strings.HasPrefix(line, commandPrefix) {
			continue
		}
		c := command{Verb: "help"}
		if len(words) > 1 {
			c.Verb, c.Rest = strings.ToLower(words[1]), strings.Join(words[2:], " ")
		}
		return c, true
	}
	return command{}, false
}

const commandHelp = "Sluice knows `/sluice check`, `/sluice promote` and `/sluice rollback REASON`."

// maxCommandAge is the age at which a comment gives no orders any more: somebody
// who recorded its delivery may send it again when it is long forgotten here.
const maxCommandAge = 24 * time.Hour

// CarryOut carries out one comment, once: a comment that was seen is left alone,
// and one that was interrupted goes on with what it meant then.
func (c *Commands) CarryOut(ctx context.Context, about rollout.Command) error {
	comment, err := c.Host.Comment(ctx, about.PullRequest, about.Comment)
	if errors.Is(err, forge.ErrNotFound) {
		return nil // taken back before it was read
	}
	if err != nil {
		return err
	}
	asked, ok := parseCommand(comment.Body)
	if !ok || c.Now().Sub(comment.UpdatedAt) > maxCommandAge {
		return nil
	}
	r := request{about, asked, comment.Author}
	if r.Verb != "promote" && r.Verb != "rollback" {
		return c.small(ctx, r)
	}
	may, err := c.mayOrder(ctx, r.author)
	if err != nil {
		return err
	}
	if !may {
		return c.refuse(ctx, r)
	}
	return c.order(ctx, r)
}

// mayOrder says whether somebody may run deployments.
func (c *Commands) mayOrder(ctx context.Context, login string) (bool, error) {
	if slices.ContainsFunc(c.Operators, func(o string) bool { return strings.EqualFold(o, login) }) {
		return true, nil
	}
	if c.Permission == forge.NoPermission {
		return false, nil
	}
	has, err := c.Host.Permission(ctx, login)
	return has >= c.Permission, err
}

// refuse answers who belongs to the repository and may not run deployments.
// Strangers get no answer: anybody can comment on a public repository.
func (c *Commands) refuse(ctx context.Context, r request) error {
	c.Logger.WarnContext(ctx, "command refused", "pull_request", r.PullRequest, "author", printable(r.author), "command", clip(printable(r.Verb), 20))
	has, err := c.Host.Permission(ctx, r.author)
	if err != nil {
		return err
	}
	answer := ""
	if has >= forge.Write {
		answer = fmt.Sprintf("this needs somebody who may run deployments of this repository, which is not you. %s", c.whoMay())
	}
	return c.end(ctx, r, nil, answer)
}

func (c *Commands) whoMay() string {
	if c.Permission == forge.NoPermission {
		return "Ask one of the source's operators."
	}
	return fmt.Sprintf("Ask somebody with the permission %q.", c.Permission)
}

// small carries out what is no order: a check, or a question.
func (c *Commands) small(ctx context.Context, r request) error {
	pr, err := c.Host.PullRequest(ctx, r.PullRequest)
	if err != nil {
		return err
	}
	if !strings.EqualFold(pr.Author, r.author) {
		has, err := c.Host.Permission(ctx, r.author)
		if err != nil {
			return err
		}
		if has < forge.Write {
			return nil
		}
	}
	if r.Verb != "check" {
		return c.end(ctx, r, nil, commandHelp)
	}
	if !pr.Open {
		return c.end(ctx, r, nil, "the pull request is not open, so there is nothing to check.")
	}
	_, done, err := c.Store.BeginCommand(ctx, r.Command, nil)
	if err != nil || done {
		return err
	}
	if err := c.Store.AskCheck(ctx, r.Source, r.PullRequest); err != nil {
		return err
	}
	c.Check()
	return c.Store.EndCommand(ctx, r.Command, rollout.Comment{})
}

// order carries out a promotion or a rollback of what the pull request brought.
func (c *Commands) order(ctx context.Context, r request) error {
	if r.Verb == "rollback" && r.Rest == "" {
		return c.end(ctx, r, nil, "a rollback needs a reason: `/sluice rollback REASON`.")
	}
	about, err := c.about(ctx, r)
	if err != nil {
		return err
	}
	plan := map[string]int{}
	for _, d := range about {
		plan[d.ID] = d.Phase + 1
	}
	plan, done, err := c.Store.BeginCommand(ctx, r.Command, plan)
	if err != nil || done {
		return err
	}
	actor := fmt.Sprintf("%s via pull request %d", printable(r.author), r.PullRequest)
	var lines []string
	for _, d := range about {
		phase, meant := plan[d.ID]
		if !meant {
			continue
		}
		after, err := c.one(ctx, d, phase, actor, r.command)
		var refused *rollout.StateError
		switch {
		case errors.As(err, &refused), errors.Is(err, rollout.ErrNoWayBack), errors.Is(err, errRefused):
			lines = append(lines, fmt.Sprintf("- %s %s: %s", code(d.Profile), d.Version, code(err.Error())))
		case err != nil:
			return err
		default:
			lines = append(lines, fmt.Sprintf("- %s %s: %s", code(after.Profile), after.Version, code(after.Explanation)))
		}
	}
	answer := "nothing that this pull request brought can be " + map[string]string{"promote": "promoted", "rollback": "rolled back"}[r.Verb] + "."
	if len(lines) > 0 {
		answer = r.Verb + "\n\n" + strings.Join(lines, "\n")
	}
	return c.end(ctx, r, plan, answer)
}

// errRefused marks an order that cannot be carried out, and that no retry mends.
var errRefused = errors.New("refused")

// Refused wraps the reason for which Orders cannot carry an order out.
func Refused(reason error) error { return fmt.Errorf("%w: %w", errRefused, reason) }

func (c *Commands) one(ctx context.Context, d rollout.Deployment, phase int, actor string, r command) (rollout.Deployment, error) {
	if r.Verb == "rollback" {
		return c.Orders.RollBack(ctx, d.ID, actor, r.Rest)
	}
	return c.Orders.Promote(ctx, d.ID, phase, actor, r.Rest)
}

// about lists what an order concerns: of each profile the newest deployment
// that the pull request brought, if the order can mean it.
func (c *Commands) about(ctx context.Context, r request) ([]rollout.Deployment, error) {
	pr, err := c.Host.PullRequest(ctx, r.PullRequest)
	if err != nil || !pr.Merged {
		return nil, err
	}
	found, err := c.Store.CommitDeployments(ctx, c.Source, pr.MergeCommit)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 { // merged commit by commit: the last is not the one that it is about
		if found, err = c.rebased(ctx, r.PullRequest); err != nil {
			return nil, err
		}
	}
	var about []rollout.Deployment
	seen := map[string]bool{}
	for _, d := range found {
		if seen[d.Profile] {
			continue
		}
		seen[d.Profile] = true
		if r.Verb == "rollback" && (!d.State.Final() || rollout.MayTakeBack(d) == nil) || r.Verb == "promote" && !d.State.Final() {
			about = append(about, d)
		}
	}
	return about, nil
}

// maxRebased bounds how many commits the forge is asked about.
const maxRebased = 10

// rebased finds the recent deployments whose commits the pull request brought.
func (c *Commands) rebased(ctx context.Context, pullRequest int) ([]rollout.Deployment, error) {
	recent, err := c.Store.RecentDeployments(ctx, c.Source)
	if err != nil {
		return nil, err
	}
	brought := map[string]bool{}
	var out []rollout.Deployment
	for _, d := range recent {
		ours, known := brought[d.Commit]
		if !known {
			if len(brought) == maxRebased {
				break
			}
			pr, ok, err := c.Host.MergedBy(ctx, d.Commit)
			if err != nil {
				return nil, err
			}
			ours = ok && pr.Number == pullRequest
			brought[d.Commit] = ours
		}
		if ours {
			out = append(out, d)
		}
	}
	return out, nil
}

// end marks a command as done and answers it.
func (c *Commands) end(ctx context.Context, r request, plan map[string]int, answer string) error {
	if _, done, err := c.Store.BeginCommand(ctx, r.Command, plan); err != nil || done {
		return err
	}
	out := rollout.Comment{}
	if answer != "" {
		out = rollout.Comment{
			Source: r.Source, PullRequest: r.PullRequest, Key: fmt.Sprintf("command/%d", r.Comment),
			Body: mention(r.author) + answer,
		}
	}
	return c.Store.EndCommand(ctx, r.Command, out)
}

// mention addresses somebody by their login, where that is one that cannot say
// anything else.
func mention(login string) string {
	if login == "" || strings.ContainsFunc(login, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", r)
	}) {
		return ""
	}
	return "@" + login + " "
}
