package forge

import (
	"fmt"
	"unicode/utf8"
)

// The bounds of a commit status that every forge keeps, in runes.
const (
	MaxContext     = 255
	MaxDescription = 140
)

// Validate checks what every forge would refuse for good. Its error wraps
// ErrTerminal and names the field.
func (s Status) Validate() error {
	switch s.State {
	case Pending, Success, Failure, Error:
	default:
		return fmt.Errorf("%w: state %q is unknown", ErrTerminal, s.State)
	}
	switch {
	case s.Commit == "":
		return fmt.Errorf("%w: no commit", ErrTerminal)
	case s.Context == "":
		return fmt.Errorf("%w: no context", ErrTerminal)
	case utf8.RuneCountInString(s.Context) > MaxContext:
		return fmt.Errorf("%w: context of more than %d characters", ErrTerminal, MaxContext)
	case utf8.RuneCountInString(s.Description) > MaxDescription:
		return fmt.Errorf("%w: description of more than %d characters", ErrTerminal, MaxDescription)
	}
	return nil
}
