package reconciler

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Reads is what the reconciler reads of the database.
type Reads interface {
	// SourceHead is the commit that the source was last synced to, "" before the first sync.
	SourceHead(ctx context.Context, source string) (string, error)
	// SourceProfiles reads where the files of the profiles lie that the source manages, retired ones too.
	SourceProfiles(ctx context.Context, source string) ([]profile.Placed, error)
	// NamedProfiles reads the profiles of these names.
	NamedProfiles(ctx context.Context, names []string) ([]profile.Record, error)
	// ProfileOwners says who manages each of the names; free ones are left out.
	ProfileOwners(ctx context.Context, names []string) (owners map[string]profile.Owner, err error)
	// LatestVersion reads the profile's newest version with its data; ok is false before the first.
	LatestVersion(ctx context.Context, name string) (v profile.Version, ok bool, err error)
	// Version reads one version with its data.
	Version(ctx context.Context, name, number string) (profile.Version, error)
	// Proven says whether a deployment of this content ever completed on the profile.
	Proven(ctx context.Context, name, hash string) (bool, error)
	// ActiveHold reads the profile's hold in force; ok is false without one.
	ActiveHold(ctx context.Context, name string) (h rollout.Hold, ok bool, err error)
	// ActiveDeployment reads the profile's deployment that is not final; rollout.ErrNotFound when there is none.
	ActiveDeployment(ctx context.Context, name string) (rollout.Deployment, error)
	// Problems reads the source's files that could not be read at its head.
	Problems(ctx context.Context, source string) ([]profile.SourceProblem, error)
	SchemaStore
}

// Store is what the reconciler reads of the database, and the door to its
// transactions.
type Store interface {
	Reads
	// SourceTrace is the trace of the newest webhook that told of the source since it
	// was last synced, as W3C Trace Context writes it; "" without one.
	SourceTrace(ctx context.Context, source string) (traceparent string, err error)
	// SourceMoved says whether the source's head was read in another folder than this one, which is the source's by now.
	SourceMoved(ctx context.Context, source, folder string) (bool, error)
	// SourceParts is how many parts of a first sync are stored that has not come to its end.
	SourceParts(ctx context.Context, source string) (int, error)
	// RecordSourceFailure keeps why a sync failed; the empty reason clears it.
	RecordSourceFailure(ctx context.Context, source, reason string) error
	// InTx runs fn in one transaction and commits it when fn returns nil.
	InTx(ctx context.Context, fn func(tx Tx) error) error
	CheckStore
}

// Tx is a transaction of the reconciler: all that a sync found, or a part of a first
// one, or nothing.
type Tx interface {
	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
	// StorePart counts a part of a source's first sync; rollout.ErrStale when the source has a
	// head by now, or another number of parts before it.
	StorePart(ctx context.Context, source string, before int) error
	// MoveHead sets the source's synced commit from one to another, and the folder that it was read in; rollout.ErrStale
	// when another replica moved it first.
	MoveHead(ctx context.Context, source, from, to, folder string) error
	// ActiveHold and ActiveDeployment read what Store's methods of the same
	// names do, as of this transaction: a plan that rests on something else is stale.
	ActiveHold(ctx context.Context, name string) (h rollout.Hold, ok bool, err error)
	ActiveDeployment(ctx context.Context, name string) (rollout.Deployment, error)
	// PutProfiles creates or updates the definitions of profiles, their desired
	// versions and whether they are retired. It never touches the current versions.
	PutProfiles(ctx context.Context, records []profile.Record) error
	// InsertVersions adds immutable versions, those of one profile in their order.
	InsertVersions(ctx context.Context, versions []profile.Version) error
	// CreateDeployments adds the Next of each decision and what comes with it; the
	// active deployments of their profiles, each another one, become Superseded.
	CreateDeployments(ctx context.Context, decisions []rollout.Decision) error
	// SupersedeActive ends the profile's active deployment, if there is one, without a successor.
	SupersedeActive(ctx context.Context, profileName, reason string) error
	// ReleaseHold ends the profile's hold in force, if there is one.
	ReleaseHold(ctx context.Context, profileName, actor, reason string) error
	// TakeOver gives the source a profile that had another owner; rollout.ErrStale when it is not that owner's any more.
	TakeOver(ctx context.Context, profileName string, from profile.Owner, source string) error
	// RetireProfile marks the profile as gone from Git. Nothing that runs is touched.
	RetireProfile(ctx context.Context, profileName string) error
	// SetStatus says how a commit status should be; the aggregate follows by itself.
	SetStatus(ctx context.Context, s rollout.Status) error
	// Record adds an audit event.
	Record(ctx context.Context, f rollout.Fact) error
	// PutProblem remembers a file that could not be read; ClearProblem forgets it.
	PutProblem(ctx context.Context, p profile.SourceProblem) error
	ClearProblem(ctx context.Context, source, path string) error
	CheckTx
	SchemaTx
}
