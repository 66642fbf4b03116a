package forge

import (
	"context"
	"fmt"
)

// Recorder keeps the statuses that the local forge is given.
type Recorder interface {
	// RecordPostedStatus adds s to what was posted for the source, in order.
	RecordPostedStatus(ctx context.Context, source string, s Status) error
}

// RecorderFunc lets a function be a Recorder.
type RecorderFunc func(ctx context.Context, source string, s Status) error

// RecordPostedStatus calls f.
func (f RecorderFunc) RecordPostedStatus(ctx context.Context, source string, s Status) error {
	return f(ctx, source, s)
}

// Local is the forge of a plain repository, which has no place for commit
// statuses: Sluice keeps them itself, where its command line and API show them.
type Local struct {
	source   string
	recorder Recorder
}

var _ Forge = (*Local)(nil)

// NewLocal returns the local forge of a source.
func NewLocal(source string, recorder Recorder) *Local {
	return &Local{source: source, recorder: recorder}
}

// PostStatus keeps the status. It returns an error that wraps ErrTerminal for a
// status that no forge would take, and otherwise the recorder's.
func (l *Local) PostStatus(ctx context.Context, s Status) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if err := l.recorder.RecordPostedStatus(ctx, l.source, s); err != nil {
		return fmt.Errorf("record status %s of %s: %w", s.Context, s.Commit, err)
	}
	return nil
}
