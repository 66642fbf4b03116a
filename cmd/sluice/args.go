package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// nothing refuses arguments. After a flag that may stand alone, the word was
// probably meant to be its value.
func nothing(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return unknownCommand(cmd, args[0])
	}
	err := fmt.Errorf("%s takes no arguments, and was given %q", cmd.CommandPath(), args[0])
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.NoOptDefVal != "" {
			err = fmt.Errorf("%w: the value of --%s follows =, as in --%s=%s", err, f.Name, f.Name, f.DefValue)
		}
	})
	return err
}

// unknownCommand refuses a word that should be one of a command's own.
func unknownCommand(cmd *cobra.Command, word string) error {
	names := []string{}
	for _, child := range cmd.Commands() {
		names = append(names, child.Name())
	}
	text := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	if guess := closest(word, names); guess != "" {
		text += ", did you mean " + guess + "?"
	}
	return &usageError{text: text, hint: cmd.CommandPath() + " --help lists the commands."}
}

// unknownFlag says which flag was probably meant, and where they are listed.
func unknownFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	names := []string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	text := err.Error()
	if guess := closest(unknown.GetSpecifiedName(), names); guess != "" && unknown.GetSpecifiedShortnames() == "" {
		text += ", did you mean --" + guess + "?"
	}
	return &usageError{text: text, hint: cmd.CommandPath() + " --help lists the flags."}
}

// usageError is a word or a flag that a command does not know, and where those that it knows are listed.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

var deploymentPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isDeployment tells the id of a deployment from the name of a profile.
func isDeployment(arg string) bool { return deploymentPattern.MatchString(arg) }

// parent makes a command that only groups others: alone it shows its help, and
// a word it does not know is a mistake.
func parent(cmd *cobra.Command) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
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
