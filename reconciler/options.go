package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// HoldPolicy says what ends the hold that a rollback put on a profile.
type HoldPolicy string

// The hold policies.
const (
	NewerContent HoldPolicy = "newer-content" // a commit with other content than was refused
	ReleaseOnly  HoldPolicy = "release-only"  // a person
)

// SourceOptions say what is known of the source beside its mirror.
type SourceOptions struct {
	ID           string
	Branch       string        // for messages
	Path         string        // the folder of the profiles, "" for the whole repository
	HoldPolicy   HoldPolicy    // NewerContent when empty
	PollInterval time.Duration // a minute when zero
	// RequiredApprovals is how many review approvals a deployment to Production
	// waits for, unless a person promotes it; 0 is none.
	RequiredApprovals int
	// Sources are the IDs of all sources that there are. Profiles of one that is not among them are taken over; nil:
	// nobody knows, and none are.
	Sources []string
	// RewindAfter is how long the branch must have stood at a commit that it had
	// left behind before the source follows it; 10 s when zero.
	RewindAfter time.Duration
}

// Options are what New needs.
type Options struct {
	Source SourceOptions
	Git    Git
	Store  Store
	Locker coord.Locker // nil: nobody else syncs the source

	// Signatures checks every commit before it is synced; nil: commits need no
	// signature. SignedFrom is the commit after which they do, "" for the synced
	// one; at the first sync without it, the head alone is checked.
	Signatures Signatures
	SignedFrom string

	// Keeper says which secrets of profiles will open; nil says nothing.
	Keeper profile.Keeper

	// Host is where the source's pull requests are, nil where there are none. With
	// PullRequestChecks they are checked, over PullGit.
	Host              Host
	PullGit           PullGit
	PullRequestChecks bool

	Reach rollout.Reach // whom a gate can ask; deployments that need more are refused

	WakeEngine func() // told of new deployments; may be nil
	Logger     *slog.Logger
	Metrics    Metrics
	Rand       func() float64     // jitter in [0, 1); math/rand/v2 when nil
	NewID      func() string      // of a deployment; a version 7 UUID when nil
	Fail       func(point string) // crash points of tests: K1 a new head was seen, K3 it was fetched (K3/ID: of one source), K4 a version was inserted; may be nil
}

// Metrics are told what happens. Every field may be nil.
type Metrics struct {
	SyncDone           func(ctx context.Context, source string, took time.Duration, err error) // every pass that was not skipped
	Lag                func(source string, lag time.Duration)                                  // age of the oldest commit not yet synced; 0 when in sync
	VersionsMade       func(source string, n int)
	ValidationFailures func(source string, n int) // files refused by a sync
	Panicked           func(source string)
	// PullsDone is every pass over the pull requests that was not skipped.
	PullsDone func(source string, took time.Duration, checked int, err error)
	// Validated is each file that was read, laid over its bases and checked.
	Validated func(ctx context.Context, took time.Duration)
}

// ErrOptions is wrapped by New's errors.
var ErrOptions = errors.New("invalid reconciler options")

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Source.ID == "":
		return o, fmt.Errorf("%w: source without an id", ErrOptions)
	case o.Git == nil || o.Store == nil:
		return o, fmt.Errorf("%w: source %s without git or store", ErrOptions, o.Source.ID)
	case o.Host != nil && o.PullRequestChecks && o.PullGit == nil:
		return o, fmt.Errorf("%w: source %s checks pull requests without their git", ErrOptions, o.Source.ID)
	case o.Source.PollInterval < 0:
		return o, fmt.Errorf("%w: source %s: poll interval %s", ErrOptions, o.Source.ID, o.Source.PollInterval)
	}
	switch o.Source.HoldPolicy {
	case "":
		o.Source.HoldPolicy = NewerContent
	case NewerContent, ReleaseOnly:
	default:
		return o, fmt.Errorf("%w: source %s: hold policy %q is neither %s nor %s",
			ErrOptions, o.Source.ID, o.Source.HoldPolicy, NewerContent, ReleaseOnly)
	}
	if o.Source.PollInterval == 0 {
		o.Source.PollInterval = time.Minute
	}
	if o.Source.RewindAfter == 0 {
		o.Source.RewindAfter = rewindAfter
	}
	o.Source.Path = strings.Trim(path.Clean("/"+o.Source.Path), "/")
	if o.WakeEngine == nil {
		o.WakeEngine = func() {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.NewID == nil {
		o.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if o.Fail == nil {
		o.Fail = func(string) {}
	}
	o.Metrics = o.Metrics.withDefaults()
	return o, nil
}

func (m Metrics) withDefaults() Metrics {
	if m.SyncDone == nil {
		m.SyncDone = func(context.Context, string, time.Duration, error) {}
	}
	if m.Lag == nil {
		m.Lag = func(string, time.Duration) {}
	}
	if m.VersionsMade == nil {
		m.VersionsMade = func(string, int) {}
	}
	if m.ValidationFailures == nil {
		m.ValidationFailures = func(string, int) {}
	}
	if m.Panicked == nil {
		m.Panicked = func(string) {}
	}
	if m.PullsDone == nil {
		m.PullsDone = func(string, time.Duration, int, error) {}
	}
	if m.Validated == nil {
		m.Validated = func(context.Context, time.Duration) {}
	}
	return m
}
