package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/sluicehq/sluice/rollout"
)

// Routing says who outside hears of what happens. The zero value tells nobody.
type Routing struct {
	// Targets are the names that there are. Each has a queue of its own, so that
	// one that hangs is in nobody's way.
	Targets []string
	// Together are those of them that people read as it comes: what waits for one of them is told in one
	// message.
	Together []string
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
	for _, target := range r.Together {
		out[r.queueOf(target)] = river.QueueConfig{MaxWorkers: 1, FetchCooldown: togetherEvery, FetchPollInterval: togetherEvery}
	}
	return out
}

// notificationJob asks for one target to be told.
type notificationJob struct {
	rollout.Notification
}

// Kind names the job in the database.
func (notificationJob) Kind() string { return "notification" }

// news are the facts that the transaction recorded and that somebody may hear of, and the
// questions that look up what stands behind them.
func (tx *Tx) news(ctx context.Context) (news []*noted, looks []question) {
	routing := tx.s.routing
	if routing.Route == nil {
		return nil, nil
	}
	for _, f := range tx.facts {
		if !slices.Contains(routing.Facts, f.Type) {
			continue
		}
		n := &noted{fact: f}
		if about := tx.describing(ctx, n); about != nil {
			news, looks = append(news, n), append(looks, about...)
		}
	}
	return news, looks
}

// telling adds a job for each target that is to hear of news, once that was looked up: both
// are stored, or neither is.
func (tx *Tx) telling(ctx context.Context, news []*noted) ([]question, error) {
	routing := tx.s.routing
	var jobs []river.InsertManyParams
	for _, about := range news {
		if !about.known {
			continue
		}
		for _, n := range routing.Route(about.notification(tx.now()), about.settings) {
			jobs = append(jobs, river.InsertManyParams{
				Args: notificationJob{n}, InsertOpts: &river.InsertOpts{MaxAttempts: maxPosts, Queue: routing.queueOf(n.Target), Metadata: inTrace(about.deployment.Span())},
			})
		}
	}
	return tx.askingJobs(ctx, jobs)
}

// noted is a fact to tell of, with what stands behind it.
type noted struct {
	fact                 rollout.Fact
	deployment           rollout.Deployment // zero for a hold that is due to none
	known                bool               // the profile is there
	service, environment string
	settings             map[string]any
}

func (n *noted) notification(at time.Time) rollout.Notification {
	out := rollout.NewNotification("evt_"+uuid.NewString(), n.fact, n.deployment, at)
	out.Service, out.Environment = n.service, n.environment
	return out
}

// The deployment and the profile that a fact about a deployment or a hold is about, by the
// entity of the fact in $1. A hold is told of with the deployment that it is due to.
const (
	ofDeployment        = `deployment_id = $1`
	ofHold              = `deployment_id = (SELECT deployment_id FROM config_holds WHERE config_name = $1 ORDER BY created_at DESC LIMIT 1)`
	profileOfDeployment = `name = (SELECT config_name FROM config_deployments WHERE deployment_id = $1)`
	profileOfHold       = `name = $1`
)

// describing looks up what stands behind a fact about a deployment or a hold; none for
// any other. What is corrupt is described as far as it can be read: it must not
// stand in the way of a rollback.
func (tx *Tx) describing(ctx context.Context, n *noted) []question {
	deployment, profile := ofDeployment, profileOfDeployment
	switch {
	case n.fact.EntityType == "deployment":
	case n.fact.Type == rollout.FactHoldBegun || n.fact.Type == rollout.FactHoldEnded:
		deployment, profile = ofHold, profileOfHold
	default:
		return nil
	}
	read := shown(ctx, tx.s, scanDeployment)
	what := "read what to tell of " + n.fact.EntityType + " " + n.fact.EntityID
	return []question{{
		what: what, text: `SELECT ` + deploymentColumns + ` FROM config_deployments WHERE ` + deployment, args: []any{n.fact.EntityID},
		row: func(row scanner) (err error) {
			n.deployment, err = read(row)
			return err
		},
	}, {
		what: what, text: `SELECT service, environment, settings FROM config_profiles WHERE ` + profile, args: []any{n.fact.EntityID},
		row: func(row scanner) error {
			var settings string
			err := row.Scan(&n.service, &n.environment, &settings)
			if json.Unmarshal([]byte(settings), &n.settings) != nil {
				n.settings = nil // corrupt: the routes are enough to tell people
			}
			n.known = err == nil
			return err
		},
	}}
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
