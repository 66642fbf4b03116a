package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

const deploymentColumns = `deployment_id, config_name, config_version, config_hash, kind, environment, status, commit_sha,
	created_at, finished_at, body, revision, epoch, quarantined`

// scanDeployment reads the body; what other statements change beside it has
// columns of its own. Of a corrupt one it gives what the columns say, enough to
// show it and to put another in its place.
func scanDeployment(row scanner) (rollout.Deployment, error) {
	var c rollout.Deployment
	var body, quarantined string
	if err := row.Scan(&c.ID, &c.Profile, &c.Version, &c.Hash, &c.Kind, &c.Selector.Environment, &c.State, &c.Commit,
		at(&c.CreatedAt), at(&c.FinishedAt), &body, &c.Revision, &c.Epoch, &quarantined); err != nil {
		return c, err
	}
	d, err := decodeDeployment(body, c)
	if err != nil {
		c.Explanation = "its stored row is corrupt: only a new deployment of the profile can follow it"
		return c, &CorruptError{Table: "config_deployments", Key: c.ID, Err: err}
	}
	d.Revision, d.Epoch = c.Revision, c.Epoch
	if quarantined != "" && !d.State.Final() {
		d.Explanation = quarantined
	}
	return d, nil
}

// decodeDeployment reads a body and checks that it is that of its row.
func decodeDeployment(body string, row rollout.Deployment) (d rollout.Deployment, err error) {
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		return d, err
	}
	if d.ID != row.ID || d.Profile != row.Profile || d.Version != row.Version || d.State != row.State {
		return d, fmt.Errorf("the body is that of %s of %s %s in state %q", d.ID, d.Profile, d.Version, d.State)
	}
	return d, nil
}

// Deployment reads one; rollout.ErrNotFound when there is none.
func (s *Store) Deployment(ctx context.Context, id string) (rollout.Deployment, error) {
	return deployment(ctx, s.read, id)
}

func deployment(ctx context.Context, q querier, id string) (rollout.Deployment, error) {
	d, err := scanDeployment(q.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM config_deployments WHERE deployment_id = $1`, id))
	return d, notFound(err, rollout.ErrNotFound, "deployment", id)
}

// ActiveDeployment reads the profile's deployment that is not final;
// rollout.ErrNotFound when there is none.
func (s *Store) ActiveDeployment(ctx context.Context, name string) (rollout.Deployment, error) {
	return s.activeDeployment(ctx, s.read, name)
}

// ActiveDeployment reads it as of this transaction.
func (tx *Tx) ActiveDeployment(ctx context.Context, name string) (rollout.Deployment, error) {
	return tx.s.activeDeployment(ctx, tx.tx, name)
}

// activeDeployment gives what can be read of a corrupt one: it must not stand
// in the way of the deployment that takes its place.
func (s *Store) activeDeployment(ctx context.Context, q querier, name string) (rollout.Deployment, error) {
	d, err := shown(ctx, s, scanDeployment)(q.QueryRowContext(ctx, activeOf, name))
	return d, notFound(err, rollout.ErrNotFound, "active deployment of", name)
}

const activeOf = `SELECT ` + deploymentColumns + ` FROM config_deployments WHERE config_name = $1 AND finished_at IS NULL`

// DeploymentFilter narrows a list of deployments. Zero fields do not.
type DeploymentFilter struct {
	Profile, Status, Environment, Commit string
	Active                               bool // only those that have not ended
	ForPerson                            bool // only active ones that go no further before a person acts
	Scope                                profile.Scope
	Limit, Offset                        int
}

// Deployments lists deployments, newest first, and how many there are in all.
func (s *Store) Deployments(ctx context.Context, f DeploymentFilter) ([]rollout.Deployment, int, error) {
	w := where{}
	w.equal("config_name", f.Profile)
	w.equal("status", f.Status)
	w.equal("environment", f.Environment)
	w.equal("commit_sha", f.Commit)
	if f.Active || f.ForPerson {
		w.terms = append(w.terms, "finished_at IS NULL")
	}
	if f.ForPerson {
		w.terms = append(w.terms, s.engine.pick(forPerson))
	}
	w.narrow(s.engine, f.Scope, (*where).deploymentWithin)
	return listed(ctx, s.read, w, "config_deployments", deploymentColumns, "seq DESC", f.Limit, f.Offset, shown(ctx, s, scanDeployment))
}

// forPerson is the condition that an active deployment waits for a person. One
// whose step could not be stored does so too, and so does a corrupt one.
var forPerson = text{
	sqlite: `(quarantined <> '' OR CASE WHEN json_valid(body) THEN coalesce(json_extract(body, '$.Awaiting'), '') ELSE 'Approval' END
		IN ('Approval', 'Promotion'))`,
	postgres: `(quarantined <> '' OR coalesce(body->>'Awaiting', '') IN ('Approval', 'Promotion'))`,
}

// CommitDeployments lists the forward deployments of a source's commit, newest first.
func (s *Store) CommitDeployments(ctx context.Context, source, commit string) ([]rollout.Deployment, error) {
	return s.deploymentsOf(ctx, source, `commit_sha = $2`, commit, maxOfCommit)
}

// Bounds on what is read of one source: deployments of one commit or that wait,
// and the newest ones.
const (
	maxOfCommit       = 10_000
	recentDeployments = 50
)

// RecentDeployments lists the source's newest forward deployments, newest first.
func (s *Store) RecentDeployments(ctx context.Context, source string) ([]rollout.Deployment, error) {
	return s.deploymentsOf(ctx, source, `commit_sha <> $2`, "", recentDeployments)
}

// AwaitingApprovals lists the source's deployments that review approvals let start.
func (s *Store) AwaitingApprovals(ctx context.Context, source string) ([]rollout.Deployment, error) {
	pending, err := s.deploymentsOf(ctx, source, `status = $2`, string(rollout.Pending), maxOfCommit)
	return slices.DeleteFunc(pending, func(d rollout.Deployment) bool { return d.Approvals == 0 || d.Approved || d.Commit == "" }), err
}

func (s *Store) deploymentsOf(ctx context.Context, source, condition, arg string, limit int) ([]rollout.Deployment, error) {
	deployments, err := sound(ctx, s, s.read, scanDeployment, `SELECT `+deploymentColumns+` FROM config_deployments
		WHERE config_name IN (SELECT name FROM config_profiles WHERE source_id = $1) AND kind = 'Forward' AND `+condition+`
		ORDER BY seq DESC LIMIT $3`, source, arg, limit)
	if err != nil {
		return nil, fmt.Errorf("list the deployments of source %s: %w", source, err)
	}
	return deployments, nil
}

// insertDeployments is the statement that adds deployments.
var insertDeployments = into("config_deployments", `deployment_id, config_name, config_version, config_hash, kind, environment, chosen, strategy, status,
	commit_sha, targets, applied, body, created_at, finished_at, revision, epoch, op_id, next_step_at`, "")

// insertDeployments adds the rows; the rest of a decision is apply's.
func (tx *Tx) insertDeployments(ctx context.Context, decisions []rollout.Decision) error {
	now := tx.now()
	_, err := insertDeployments.write(ctx, tx.tx, len(decisions), func(i int) []any {
		d := &decisions[i].Next
		if d.CreatedAt.IsZero() {
			d.CreatedAt = now
		}
		d.Revision, d.Epoch = 1, 0
		return []any{d.ID, d.Profile, d.Version, d.Hash, d.Kind, d.Selector.Environment, d.Chosen(), d.Strategy.Type, d.State, d.Commit,
			d.Progress.Targets, d.Progress.Applied, asJSON(d), stamp(d.CreatedAt), stamp(d.FinishedAt), 1, 0, uuid.NewString(), stamp(now)}
	})
	if err != nil {
		d := decisions[0].Next
		return fmt.Errorf("write deployment %s: %w", andMore(d.ID+" of "+d.Profile, len(decisions)), err)
	}
	for _, dec := range decisions {
		tx.counts(dec.Next.Profile, 0, 1)
	}
	return nil
}

// Checks lists a deployment's gate checks, newest first.
func (s *Store) Checks(ctx context.Context, deploymentID string) ([]rollout.Check, error) {
	checks, err := sound(ctx, s, s.read, func(row scanner) (c rollout.Check, err error) {
		var bad damage
		err = row.Scan(&c.DeploymentID, at(&c.At), &c.Phase, bad.json(&c.Verdict))
		return c, bad.of("deployment_checks", c.DeploymentID, err)
	}, `SELECT deployment_id, at, phase, verdict FROM deployment_checks WHERE deployment_id = $1 ORDER BY seq DESC`, deploymentID)
	if err != nil {
		return nil, fmt.Errorf("list the checks of deployment %s: %w", deploymentID, err)
	}
	return checks, nil
}

const keptChecks = 100

// insertingChecks keeps checks of the gate, and drops the oldest of too many.
func insertingChecks(checks []rollout.Check) (questions []question) {
	for _, c := range checks {
		questions = append(questions, question{
			what: "write a check of deployment " + c.DeploymentID,
			text: `INSERT INTO deployment_checks (deployment_id, at, phase, verdict) VALUES ($1, $2, $3, $4)`,
			args: []any{c.DeploymentID, stamp(c.At), c.Phase, asJSON(c.Verdict)},
		}, question{
			what: "drop old checks of deployment " + c.DeploymentID,
			text: `DELETE FROM deployment_checks WHERE deployment_id = $1 AND seq <=
			(SELECT seq FROM deployment_checks WHERE deployment_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)`,
			args: []any{c.DeploymentID, keptChecks},
		})
	}
	return questions
}
