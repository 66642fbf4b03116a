package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// needs asks for exactly n arguments, and says which when they are not there.
func needs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return errors.New("needs " + what)
		}
		return nil
	}
}

var deploymentPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isDeployment tells the id of a deployment from the name of a profile.
func isDeployment(arg string) bool { return deploymentPattern.MatchString(arg) }

// parent makes a command that only groups others: alone it shows its help, and
// a word it does not know is a mistake.
func parent(cmd *cobra.Command) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q for %q: %s --help lists them", args[0], cmd.CommandPath(), cmd.CommandPath())
		}
		return cmd.Help()
	}
	return cmd
}

// kinds are the words that -o name puts before a name.
func kinds() []string {
	return []string{"profile", "version", "deployment", "instance", "source", "status", "context", "token", "schema", "user", "event"}
}

// bare is a name without the kind that -o name puts before it.
func bare(arg string) string {
	if kind, name, ok := strings.Cut(arg, "/"); ok && slices.Contains(kinds(), kind) && !strings.Contains(name, "/") {
		return name
	}
	return arg
}

// takesFiles marks a command whose arguments may be files, so that profile/x.yaml stays what it is.
const takesFiles = "files"

// prepare readies every command that was put together: those that ask the daemon
// take kind/name, so that what -o name prints can be handed on, and flags of
// output reach the shell.
func prepare(sh *shell, cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		prepare(sh, child)
	}
	run := cmd.RunE
	if run == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if flag := cmd.Flags().Lookup("no-headers"); flag != nil {
			sh.noHeaders = flag.Value.String() == "true"
		}
		if cmd.Flags().Lookup("server") != nil && cmd.Annotations[takesFiles] == "" {
			for i, arg := range args {
				args[i] = bare(arg)
			}
		}
		return run(cmd, args)
	}
}
