package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/rollout"
)

// What a caller can act on.
var (
	// ErrNotFound is returned for something that is not there.
	ErrNotFound = errors.New("not found")
	// ErrExists is returned for something that is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict is returned when something refers to what would be changed.
	ErrConflict = errors.New("conflict")
	// ErrHashMismatch is returned for content that is not what its hash says: of an acknowledgement, a version or an assignment.
	ErrHashMismatch = errors.New("the hash is not that of the assigned content")
	// ErrRefused is returned for a new deployment of content that a hold refuses:
	// whoever planned it did not know of the hold. It matches ErrConflict and
	// rollout.ErrStale.
	ErrRefused = fmt.Errorf("a hold refuses this content (%w): %w", ErrConflict, rollout.ErrStale)
	// ErrReadOnly is returned by writes to a database that was opened with ReadOnly.
	ErrReadOnly = errors.New("the database is open for reading only")
	// ErrUnavailable is returned when the database does not answer, or takes no
	// writes: nothing is wrong with what was asked, and later it may go through.
	ErrUnavailable = errors.New("the database is not available")
	// ErrFull is returned when the database answers and takes no writes. It matches
	// ErrUnavailable.
	ErrFull error = fullError{}
	// ErrTerminal marks an error of a job that no retry mends.
	ErrTerminal = errors.New("final")
)

type fullError struct{}

func (fullError) Error() string {
	return "the database takes no writes: its disk is full, or it is read-only"
}

func (fullError) Unwrap() error { return ErrUnavailable }

// InUseError is returned for something that cannot go because something else
// needs it. It matches ErrConflict.
type InUseError struct{ What, Why string }

// Error says what needs it.
func (e *InUseError) Error() string { return e.What + " " + e.Why }

// Unwrap makes it a conflict.
func (e *InUseError) Unwrap() error { return ErrConflict }

// notFound names what was looked for.
func notFound(err error, sentinel error, what, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %s: %w", what, name, sentinel)
	}
	if err != nil {
		return fmt.Errorf("read %s %s: %w", what, name, err)
	}
	return nil
}
