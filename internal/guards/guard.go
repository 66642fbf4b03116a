package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// guard is one patch that takes something away, with the tests that must miss it.
type guard struct {
	name    string   // of the file, without its ending
	patch   string   // path of the file
	what    string   // what it takes away
	command []string // go test and its arguments
	says    string   // part of what the failing tests say
}

var errHeader = errors.New("the head of a patch is three lines: # guard: what it removes, # test: go test ..., # says: part of the failure")

// readGuards reads every patch of a folder, or those whose names contain one of
// the wanted words.
func readGuards(dir string, wanted []string) ([]guard, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, fmt.Errorf("list the patches: %w", err)
	}
	var guards []guard
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".patch")
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(word string) bool { return strings.Contains(name, word) }) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a patch: %w", err)
		}
		g, err := parseHeader(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		g.name, g.patch = name, file
		guards = append(guards, g)
	}
	if len(guards) == 0 {
		return nil, fmt.Errorf("no patch in %s is called %s", dir, strings.Join(wanted, " or "))
	}
	return guards, nil
}

// parseHeader reads the lines before the diff, which git skips.
func parseHeader(text string) (g guard, err error) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			break
		}
		switch key {
		case "# guard":
			g.what = value
		case "# test":
			g.command = strings.Fields(value)
		case "# says":
			g.says = value
		}
	}
	if g.what == "" || g.says == "" || len(g.command) < 3 || g.command[0] != "go" || g.command[1] != "test" {
		return g, errHeader
	}
	return g, nil
}
