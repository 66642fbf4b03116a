package rollout

import (
	"context"
	"errors"
	"time"
)

// ErrStale is returned when a deployment changed after it was read, or the
// claim on it was lost: reload and decide again, do nothing else.
var ErrStale = errors.New("deployment changed since it was read")

// ErrNotFound is returned for a deployment that does not exist.
var ErrNotFound = errors.New("deployment not found")

// Claim is the right to step one deployment, until the lease ends by the
// database's clock. Epoch fences: a later claim makes every earlier one void.
type Claim struct {
	DeploymentID string
	Owner        string
	Epoch        int64
	Attempts     int // claims since the last stored step; a sign of a poisoned deployment
}

// Store is what the engine needs of the database. Every method but Steps is one
// transaction.
type Store interface {
	// Now is the database's clock: deadlines are judged by it alone.
	Now(ctx context.Context) (time.Time, error)
	// Clock is that clock as it was heard last, and has gone on since.
	Clock() time.Time
	// ClaimDue claims up to limit deployments that are not final, whose next
	// step is due and which nobody else holds. It counts the attempt.
	ClaimDue(ctx context.Context, owner string, lease time.Duration, limit int) ([]Claim, error)
	// NextDue is when the next unclaimed step falls due; ok is false when there is none.
	NextDue(ctx context.Context) (due time.Time, ok bool, err error)
	// ReleaseClaims hands back all that owner holds, so that another replica need not
	// wait. Their attempts stay counted: a step may have failed.
	ReleaseClaims(ctx context.Context, owner string) error
	// Deployment reads one; ErrNotFound when there is none.
	Deployment(ctx context.Context, id string) (Deployment, error)
	// ActiveDeployment reads the profile's deployment that is not final; ErrNotFound when there is none.
	ActiveDeployment(ctx context.Context, profile string) (Deployment, error)
	// Snapshot reads the deployment's targets, in no order, with the samples that readings asks
	// for of a snapshot without any, or with all that are kept when it is nil. They are
	// read into the targets that it was asked about. Before it asks, it hears the
	// database's clock.
	Snapshot(ctx context.Context, d Deployment, readings func(Snapshot) []Reading) (Snapshot, error)
	// Step stores a decision made under a claim: compare-and-set on revision,
	// epoch and owner; ErrStale when it lost. It gives the claim back.
	Step(ctx context.Context, claim Claim, dec Decision) error
	// Steps stores decisions about several deployments as Step does each, in as
	// few transactions as it can. It gives an error, or nil, for each.
	Steps(ctx context.Context, steps []Step) []error
	// Ahead lets an order that is urgent by its context go ahead of steps and of all
	// else that can wait, until done is called.
	Ahead(ctx context.Context) (done func())
	// Order stores a decision that a person or a rule forced: compare-and-set
	// on revision; raises the epoch, so that a step in flight loses.
	Order(ctx context.Context, dec Decision) error
	// OrderExclusive reads a deployment, decides and stores the decision as Order
	// does, while nobody else can change it. It returns the deployment as it was.
	OrderExclusive(ctx context.Context, id string, decide DecideOrder) (before Deployment, dec Decision, err error)
	// Create stores a new deployment (dec.Next) and what comes with it; an
	// active deployment of the profile becomes Superseded in the same transaction.
	Create(ctx context.Context, dec Decision) error
	// Quarantine sets a deployment aside after too many failed attempts: it is
	// not claimed any more until a person acts on it.
	Quarantine(ctx context.Context, claim Claim, reason string) error
}

// DecideOrder decides about a deployment as it is.
type DecideOrder func(d Deployment, snap Snapshot, now time.Time) (Decision, error)

// Publisher tells watch streams that a profile's assignments changed. It is
// only a hint: a lost message costs time, never correctness.
type Publisher interface {
	Publish(ctx context.Context, profile string)
}
