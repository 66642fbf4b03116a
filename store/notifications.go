package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// Routing says who outside hears of what happens. The zero value tells nobody.
type Routing struct {
	// Targets are the names that there are. Each has a queue of its own, so that
	// one that hangs is in nobody's way.
	Targets []string
	// Facts are the types of facts that anybody may hear of: of others Route is not
	// asked.
	Facts []string
	// Route gives a notification once for each target that is to hear of it; the
	// settings are those of the profile. It is asked inside transactions: it waits
	// for nothing.
	Route func(n rollout.Notification, settings map[string]any) []rollout.Notification
	// PullRequests says that a source's forge has them: those behind a rollback
	// are told of it.
	PullRequests bool
}

// strayQueue is that of notifications for targets that there are not.
const strayQueue = "notify"

// queueOf is the queue of a target.
func (r Routing) queueOf(target string) string {
	for _, name := range r.Targets {
		if name == target {
			return strayQueue + "-" + name
		}
	}
	return strayQueue
}

// queues lists the queues of notifications that are worked off.
func (r Routing) queues() []string {
	out := []string{strayQueue}
	for _, name := range r.Targets {
		out = append(out, r.queueOf(name))
	}
	return out
}

// configured are the outbox's queues. Each queue of a target has its own few
// workers, and is looked at less often than what a rollout waits for.
func (r Routing) configured() map[string]river.QueueConfig {
	out := map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}
	for _, queue := range r.queues() {
		out[queue] = river.QueueConfig{MaxWorkers: notifyWorkers, FetchPollInterval: notifyPoll}
	}
	return out
}

// notificationJob asks for one target to be told.
type notificationJob struct {
	rollout.Notification
}

// Kind names the job in the database.
func (notificationJob) Kind() string { return "notification" }

// notify adds a job for each target that is to hear of what the transaction
// recorded: both are stored, or neither is.
func (tx *Tx) notify(ctx context.Context) error {
	routing := tx.s.routing
	if routing.Route == nil {
		return nil
	}
	var jobs []river.InsertManyParams
	for _, f := range tx.facts {
		if !slices.Contains(routing.Facts, f.Type) {
			continue
		}
		about, ok, err := tx.notification(ctx, f)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, n := range routing.Route(about.Notification, about.settings) {
			jobs = append(jobs, river.InsertManyParams{
				Args: notificationJob{n}, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts, Queue: routing.queueOf(n.Target), Metadata: inTrace(about.parent)},
			})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	if _, err := tx.s.jobs.InsertManyTx(ctx, tx.tx, jobs); err != nil {
		return fmt.Errorf("put %d notifications into the outbox: %w", len(jobs), err)
	}
	return nil
}

// noted is a notification with the settings of its profile, and where it belongs.
type noted struct {
	rollout.Notification
	settings map[string]any
	parent   string // the deployment's span
}

// notification describes a fact about a deployment or a hold; ok is false for
// any other. What is corrupt is described as far as it can be read: it must not
// stand in the way of a rollback.
func (tx *Tx) notification(ctx context.Context, f rollout.Fact) (out noted, ok bool, err error) {
	id := f.EntityID
	switch {
	case f.EntityType == "deployment":
	case f.Type == rollout.FactHoldBegun || f.Type == rollout.FactHoldEnded:
		if id, err = tx.holder(ctx, f.EntityID); err != nil {
			return out, false, err
		}
	default:
		return out, false, nil
	}
	var d rollout.Deployment
	if id != "" {
		d, err = shown(ctx, tx.s, scanDeployment)(tx.tx.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM config_deployments WHERE deployment_id = $1`, id))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return out, false, fmt.Errorf("read deployment %s to tell of it: %w", id, err)
		}
	}
	out.parent = d.Span()
	out.Notification = rollout.NewNotification("evt_"+uuid.NewString(), f, d, tx.now())
	var settings string
	err = tx.tx.QueryRowContext(ctx, `SELECT service, environment, settings FROM config_profiles WHERE name = $1`, out.Profile).
		Scan(&out.Service, &out.Environment, &settings)
	if errors.Is(err, sql.ErrNoRows) {
		return out, false, nil
	}
	if err != nil {
		return out, false, fmt.Errorf("read profile %s to tell of it: %w", out.Profile, err)
	}
	if json.Unmarshal([]byte(settings), &out.settings) != nil {
		out.settings = nil // corrupt: the routes are enough to tell people
	}
	return out, true, nil
}

// holder is the deployment that the profile's newest hold is due to; "" for none.
func (tx *Tx) holder(ctx context.Context, name string) (id string, err error) {
	err = tx.tx.QueryRowContext(ctx, `SELECT deployment_id FROM config_holds WHERE config_name = $1 ORDER BY created_at DESC LIMIT 1`, name).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the hold of %s to tell of it: %w", name, err)
	}
	return id, nil
}

// standing is where a profile stands now.
func (s *Store) standing(ctx context.Context, name string) (st rollout.Standing, err error) {
	st.At = s.now()
	newest, _, err := s.Deployments(ctx, DeploymentFilter{Profile: name, Limit: 1})
	if err != nil {
		return st, err
	}
	if len(newest) == 1 {
		st.Newest = newest[0]
	}
	st.Hold, st.Held, err = s.ActiveHold(ctx, name)
	return st, err
}
