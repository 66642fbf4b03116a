package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// outcome is what a run of tests came to.
type outcome struct {
	passed int  // tests
	failed bool // a test, or the whole process
	broken bool // it did not compile
	output string
}

// event is a line of go test -json.
type event struct {
	Action string
	Test   string // "" for the whole process
	Output string
}

func readOutcome(r io.Reader) (o outcome, err error) {
	var output strings.Builder
	lines := json.NewDecoder(r)
	for {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return o, fmt.Errorf("read what the tests say: %w", err)
		}
		if !strings.HasPrefix(e.Output, "=== ") {
			output.WriteString(e.Output)
		}
		switch {
		case e.Action == "build-fail":
			o.broken = true
		case e.Action == "pass" && e.Test != "":
			o.passed++
		case e.Action == "fail":
			o.failed = true
		}
	}
	o.output = output.String()
	return o, nil
}

// sound says that tests ran and passed.
func (o outcome) sound() error {
	switch {
	case o.broken:
		return fmt.Errorf("the tests do not compile:\n%s", o.output)
	case o.failed:
		return fmt.Errorf("the tests fail with the guard in its place:\n%s", o.output)
	case o.passed == 0:
		return errors.New("no test ran: is it called otherwise now?")
	}
	return nil
}

// missed says that a test failed because the guard was gone, and for no other
// reason. A panic counts only when it is what is foreseen: where the guard is
// the recover itself.
func (o outcome) missed(says string) error {
	switch {
	case o.broken:
		return fmt.Errorf("the tests do not compile without it:\n%s", o.output)
	case !o.failed:
		return errors.New("the tests pass without it")
	case strings.Contains(o.output, "panic: ") && !strings.HasPrefix(says, "panic: "):
		return fmt.Errorf("the tests panicked instead of failing:\n%s", o.output)
	case !strings.Contains(o.output, says):
		return fmt.Errorf("the tests failed, but did not say %q:\n%s", says, o.output)
	}
	return nil
}
