package main

// exitError ends the process with a code. Without an error inside, everything was printed already.
type exitError struct {
	code int
	err  error
}

// Error returns the text of the error inside, or "" when there is nothing left to print.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the error inside.
func (e *exitError) Unwrap() error { return e.err }

// ExitCode returns the code for the process to end with.
func (e *exitError) ExitCode() int { return e.code }

func trouble(err error) error { return &exitError{code: exitTrouble, err: err} }
