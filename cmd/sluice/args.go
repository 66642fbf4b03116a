package main

import (
	"errors"
	"fmt"
	"regexp"

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
