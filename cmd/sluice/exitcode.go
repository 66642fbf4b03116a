package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/store"
)

// The exit codes of every command. Scripts rely on them: what one means does not change.
const (
	exitDone        = 0
	exitProblems    = 1 // the answer is no: problems found, files differ, a deployment failed
	exitTrouble     = 2 // no answer: wrong usage, a file that cannot be read
	exitAway        = 3 // no answer for now
	exitDenied      = 4
	exitUnknown     = 5
	exitRefused     = 6
	exitInterrupted = 130 // 128 + SIGINT, as shells say it
)

// codeMeaning is one exit code as the help and the reference say it.
type codeMeaning struct {
	code    int
	meaning string
}

// exitCodes lists every code with what it means.
func exitCodes() []codeMeaning {
	return []codeMeaning{
		{exitDone, "done, or so"},
		{exitProblems, "the command ran, and what was asked is not so: problems in files, a difference, a deployment that did not complete, a commit with a bad status, a question answered with no"},
		{exitTrouble, "wrong usage, or the command could not run: an unknown flag, a file that cannot be read, a request that the daemon finds wrong"},
		{exitAway, "no answer for now: the daemon or the database does not answer, is failing, or asks to slow down; trying again may help"},
		{exitDenied, "not signed in, or the role or the scope of the token does not allow it"},
		{exitUnknown, "there is no such profile, version, deployment, instance or source"},
		{exitRefused, "refused as things stand: the state of a deployment, a hold or a freeze does not allow it, or somebody else was first; the message says what does"},
		{exitInterrupted, "stopped by Ctrl-C or a signal before it was done; what the daemon was told goes on"},
	}
}

// exitCodesText is the page of sluice help exit-codes.
func exitCodesText() string {
	var b strings.Builder
	b.WriteString("Every command ends with one of these codes:\n\n")
	for _, c := range exitCodes() {
		for i, line := range (look{}).wrap(c.meaning, 70) {
			code := ""
			if i == 0 {
				code = fmt.Sprint(c.code)
			}
			fmt.Fprintf(&b, "  %-5s%s\n", code, line)
		}
	}
	b.WriteString("\nA script that may try again does so on 3, and on 6 once it has looked.")
	return b.String()
}

// exitCode is the code that err ends the program with: what the error says of
// itself, else what kind of refusal it is, else that the command could not run.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return e.ExitCode()
	}
	if e, ok := errors.AsType[*client.APIError](err); ok {
		return exitCodeOf(e)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, store.ErrUnavailable), unreached(err):
		return exitAway
	}
	return exitTrouble
}

// exitCodeOf sorts the daemon's refusals.
func exitCodeOf(e *client.APIError) int {
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return exitDenied
	case e.Status == http.StatusNotFound && e.Code != "": // without a code something else than Sluice answered
		return exitUnknown
	case e.Status == http.StatusConflict, e.Status == http.StatusPreconditionFailed:
		return exitRefused
	case e.Status == http.StatusTooManyRequests, e.Status >= http.StatusInternalServerError:
		return exitAway
	}
	return exitTrouble
}

// notSo says that the command ran, and that what was asked is not so. With
// nothing left to print, err is nil.
func notSo(err error) error { return &exitError{code: exitProblems, err: err} }
