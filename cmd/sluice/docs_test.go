package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/doctest"
)

// Every command line of the pages, in blocks of commands and in recorded
// sessions, is one that the program takes: command, flags and arguments.
func TestDocsNameRealCommands(t *testing.T) {
	t.Parallel()
	pages, err := doctest.Pages("../..")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, p := range pages {
		for _, b := range p.Blocks {
			text := b.Text
			if b.Language == "text" {
				text = typed(b.Text)
			} else if b.Language != "sh" {
				continue
			}
			commands, err := doctest.Commands(text, "sluice")
			if err != nil {
				t.Errorf("%s:%d: %v", p.Path, b.Line, err)
			}
			for _, args := range commands {
				checked++
				if err := takes(t, args); err != nil {
					t.Errorf("%s:%d: sluice %s: %v", p.Path, b.Line, strings.Join(args, " "), err)
				}
			}
		}
		for _, s := range p.Spans {
			args, ok := strings.CutPrefix(s.Text, "sluice ")
			if !ok || strings.HasPrefix(p.Path, "docs/decisions/") { // what was decided once may have another name by now
				continue
			}
			checked++
			for _, args := range alternatives(strings.Fields(args)) {
				if err := mentions(t, args); err != nil {
					t.Errorf("%s:%d: %s: %v", p.Path, s.Line, s.Text, err)
				}
			}
		}
	}
	if checked < 150 {
		t.Errorf("only %d commands were found: the pages have more", checked)
	}
}

// typed are the lines of a recorded session that somebody typed.
func typed(session string) string {
	var lines []string
	for line := range strings.Lines(session) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			lines = append(lines, command)
		}
	}
	return strings.Join(lines, "")
}

// takes says what keeps the program from running a command line.
func takes(t *testing.T, args []string) error {
	cmd, rest, err := program(t).Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if rest = cmd.Flags().Args(); cmd.HasSubCommands() && cmd.Args == nil && len(rest) > 0 {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), rest[0])
	}
	return cmd.ValidateArgs(rest)
}

func program(t *testing.T) *cobra.Command {
	root := newRootCommand(newConsole(t, nil).shell)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// alternatives are the commands that "schema register|list", or "user add" with a | anywhere, stands for: one for each
// word of the first group that names commands.
func alternatives(words []string) [][]string {
	for i, w := range words {
		choices := strings.Split(w, "|")
		if len(choices) < 2 || !isWord.MatchString(choices[0]) {
			continue
		}
		var all [][]string
		for _, c := range choices {
			all = append(all, slices.Concat(words[:i], []string{c}, words[i+1:]))
		}
		return all
	}
	return [][]string{words}
}

var (
	isWord = regexp.MustCompile(`^[a-z][a-z-]*$`)
	isFlag = regexp.MustCompile(`^\[?(--[a-z-]+|-[a-z])(=.*)?\]?$`)
)

// mentions says what does not exist of a command that the text names, whole or in part.
func mentions(t *testing.T, words []string) error {
	path := words
	if i := slices.IndexFunc(words, func(w string) bool { return !isWord.MatchString(w) }); i >= 0 {
		path = words[:i]
	}
	cmd, rest, err := program(t).Find(path)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && cmd.Args == nil && len(rest) > 0 {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), rest[0])
	}
	for _, w := range words {
		if name := isFlag.FindStringSubmatch(w); name != nil && !hasFlag(cmd, name[1]) {
			return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name[1])
		}
	}
	return nil
}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InitDefaultHelpFlag()
	if long, ok := strings.CutPrefix(name, "--"); ok {
		return cmd.Flags().Lookup(long) != nil || cmd.InheritedFlags().Lookup(long) != nil
	}
	return cmd.Flags().ShorthandLookup(name[1:]) != nil
}

func TestUnknownCommandsAreSeen(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"gett profiles", "get profils", "get profiles --hold", "rollback", "rollback a b", "pause X --reson x"} {
		if takes(t, strings.Fields(line)) == nil {
			t.Errorf("sluice %s was taken", line)
		}
	}
	for _, line := range []string{"gett profiles", "get profils", "serve --nothing", "get -z", "user add|delete", "promote --al"} {
		var wrong error
		for _, args := range alternatives(strings.Fields(line)) {
			if err := mentions(t, args); err != nil {
				wrong = err
			}
		}
		if wrong == nil {
			t.Errorf("sluice %s was taken", line)
		}
	}
}
