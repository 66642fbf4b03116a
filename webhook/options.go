package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Source is a source as the door knows it.
type Source struct {
	ID         string
	Forge      string // github, gitea, gitlab, or another that has no webhooks of its own
	Repository string // owner/name at the forge
	Branch     string
	Secrets    []string // any of which may sign
}

// Delivery is one webhook for one source, to be kept.
type Delivery struct {
	Forge       string
	ID          string
	Source      string
	Event       string // for people
	PullRequest int
	Comment     int64  // that gives an order; 0 for none
	TraceParent string // of the request, as W3C Trace Context writes it
}

// Store keeps what came.
type Store interface {
	// RecordDeliveries keeps webhooks, with the orders in them. fresh says of each
	// whether it came for the first time.
	RecordDeliveries(ctx context.Context, deliveries ...Delivery) (fresh []bool, err error)
}

// Outcome is what became of one request.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"
	Duplicate Outcome = "duplicate" // it came before
	Unmatched Outcome = "unmatched" // no source is at its repository
	Limited   Outcome = "limited"   // too many in a minute
	Refused   Outcome = "refused"   // it is not signed, too large, too slow or malformed
	Failed    Outcome = "failed"    // the store did not keep it
)

// Options are what New needs.
type Options struct {
	Sources []Source
	Store   Store
	// Wake makes a source be looked at now. It does not wait.
	Wake func(source string)

	MaxBody   int64         // largest body; DefaultMaxBody when 0
	Patience  time.Duration // for a body to arrive, and for the store; 10 s when 0, and at most 4 s for the store
	PerMinute int           // deliveries of a source that are kept in a minute; 600 when 0
	Failures  int           // refused requests of one address in a minute; 60 when 0

	Logger   *slog.Logger
	Answered func(forge string, outcome Outcome) // told of every request; may be nil
	Now      func() time.Time                    // time.Now when nil
	// Fail is called at the crash points of tests: K1-webhook before a delivery is
	// kept, K2 after that and before the answer. It may be nil.
	Fail func(point string)
}

// DefaultMaxBody is the largest body that is read. A push of 2,048 commits, the
// most that GitHub puts into one, has 2 to 3 MiB in a repository of
// configuration. GitHub sends up to 25 MiB, of which only the name of a branch
// would be used: whatever is larger is found by polling.
const DefaultMaxBody = 5 << 20

// ErrOptions is wrapped by New's errors.
var ErrOptions = errors.New("invalid webhook options")

func (o Options) withDefaults() (Options, error) {
	if o.Store == nil || o.Wake == nil {
		return o, fmt.Errorf("%w: store and wake are needed", ErrOptions)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.PerMinute <= 0 {
		o.PerMinute = 600
	}
	if o.Failures <= 0 {
		o.Failures = 60
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Answered == nil {
		o.Answered = func(string, Outcome) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Fail == nil {
		o.Fail = func(string) {}
	}
	return o, nil
}
