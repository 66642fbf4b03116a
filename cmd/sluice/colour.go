package main

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/profile"
)

// colouring says when output is coloured.
type colouring string

// The values of --color.
const (
	colourAuto   colouring = "auto" // on a terminal, unless NO_COLOR or TERM=dumb says otherwise
	colourAlways colouring = "always"
	colourNever  colouring = "never"
)

func colourings() []string {
	return []string{string(colourAuto), string(colourAlways), string(colourNever)}
}

// String is the value as it was given.
func (c *colouring) String() string { return string(*c) }

// Set takes auto, always or never.
func (c *colouring) Set(text string) error {
	if slices.Contains(colourings(), text) {
		*c = colouring(text)
		return nil
	}
	if guess := profile.Nearest(text, colourings()); guess != "" {
		return fmt.Errorf("did you mean %s?", guess)
	}
	return fmt.Errorf("must be auto, always or never")
}

// Type names the kind of value in the help.
func (*colouring) Type() string { return "when" }

// coloured decides whether a stream is coloured.
func (c colouring) coloured(terminal bool, getenv func(string) string) bool {
	switch c {
	case colourAlways:
		return true
	case colourNever:
		return false
	}
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}
