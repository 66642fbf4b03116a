package main

import "errors"

// The exit codes of the commands that judge files, the same as those of diff(1) and most linters.
const (
	exitProblems = 1 // the answer is no: problems found, files differ
	exitTrouble  = 2 // no answer: wrong usage, a file that cannot be read
)

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

var errOutputFormat = errors.New("unknown output format, must be text or json")

// checkOutput refuses an -o that is neither text nor json.
func checkOutput(format string) error {
	if format != "text" && format != "json" {
		return trouble(errOutputFormat)
	}
	return nil
}
