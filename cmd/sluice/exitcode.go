package main

import "errors"

// exitCode is the code that err ends the program with: what the error says of
// itself, else that the command could not run.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return e.ExitCode()
	}
	return exitTrouble
}

// notSo says that the command ran, and that what was asked is not so. With
// nothing left to print, err is nil.
func notSo(err error) error { return &exitError{code: exitProblems, err: err} }
