package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/profile"
)

// completionTime is how long a press of Tab may take. Whoever waits for it has a
// half-written line before them: nothing is better than late.
const completionTime = time.Second

// completionNames is how many names are asked for, one page.
const completionNames = 100

// complete offers words for a flag.
func complete(cmd *cobra.Command, flag string, words func(toComplete string) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return matching(words(toComplete), toComplete), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // a flag that the command does not have, or twice
	}
}

// matching are the words that begin as what was typed does.
func matching(words []string, typed string) []cobra.Completion {
	var out []cobra.Completion
	for _, w := range words {
		if strings.HasPrefix(w, typed) {
			out = append(out, w)
		}
	}
	return out
}

// namer asks the daemon for names that can stand at an argument: the name, then
// after a tab what it is.
type namer func(ctx context.Context, r remote, args []string) ([]cobra.Completion, error)

// completes offers live names for a command's arguments, by their position;
// what is not there is not offered anything. When the daemon does not answer in
// time, nothing is offered and nothing said.
func (c *connection) completes(cmd *cobra.Command, at ...namer) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(at) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.live(cmd.Context(), at[len(args)], args, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// completesMany offers the same names for every argument.
func (c *connection) completesMany(cmd *cobra.Command, names namer) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return c.live(cmd.Context(), names, args, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag offers live names for a flag; it sees the arguments before it.
func (c *connection) completeFlag(cmd *cobra.Command, flag string, names namer) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return c.live(cmd.Context(), names, args, toComplete), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // a flag that the command does not have, or twice
	}
}

func (c *connection) live(ctx context.Context, names namer, args []string, toComplete string) []cobra.Completion {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	r, err := c.open()
	if err != nil {
		return nil
	}
	found, err := names(ctx, r, args)
	if err != nil {
		return nil
	}
	return matching(found, toComplete)
}

// described is a name with what it is, as shells show it beside.
func described(name, what string) cobra.Completion {
	return cobra.CompletionWithDesc(oneLine(name), oneLine(what))
}

func profileNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Configs(ctx, client.ConfigFilter{List: client.List{Limit: completionNames}})
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, p := range page.Items {
		out = append(out, described(p.Name, dash(p.CurrentVersion)+" "+profileState(p)))
	}
	return out, nil
}

// heldNames are the profiles on hold, which are what can be released.
func heldNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Configs(ctx, client.ConfigFilter{List: client.List{Limit: completionNames}, Held: true})
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, p := range page.Items {
		out = append(out, described(p.Name, profileState(p)))
	}
	return out, nil
}

// versionNames are the versions of the profile that stands before.
func versionNames(ctx context.Context, r remote, args []string) ([]cobra.Completion, error) {
	if len(args) == 0 || isDeployment(args[0]) {
		return nil, nil
	}
	page, err := r.c.Versions(ctx, bare(args[0]), client.List{Limit: completionNames})
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, v := range page.Items {
		out = append(out, described(v.Version, firstLine(v.Message)))
	}
	return out, nil
}

func deploymentNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Deployments(ctx, client.DeploymentFilter{List: client.List{Limit: completionNames}})
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, d := range page.Items {
		out = append(out, described(d.ID, d.ConfigName+" "+d.ConfigVersion+" "+d.Status))
	}
	return out, nil
}

// deploymentOrProfileNames are the profiles, which are easier to type, and the deployments after them.
func deploymentOrProfileNames(ctx context.Context, r remote, args []string) ([]cobra.Completion, error) {
	profiles, err := profileNames(ctx, r, args)
	if err != nil {
		return nil, err
	}
	deployments, err := deploymentNames(ctx, r, args)
	return append(profiles, deployments...), err
}

func instanceNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Instances(ctx, client.InstanceFilter{List: client.List{Limit: completionNames}})
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, i := range page.Items {
		out = append(out, described(i.ID, i.ServiceName+" on "+i.Hostname+" "+i.Health))
	}
	return out, nil
}

func serviceNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	page, err := r.c.Instances(ctx, client.InstanceFilter{List: client.List{Limit: completionNames}})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []cobra.Completion
	for _, i := range page.Items {
		if !seen[i.ServiceName] {
			seen[i.ServiceName] = true
			out = append(out, oneLine(i.ServiceName))
		}
	}
	return out, nil
}

func sourceNames(ctx context.Context, r remote, _ []string) ([]cobra.Completion, error) {
	sources, err := r.c.Sources(ctx)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, s := range sources {
		out = append(out, described(s.ID, s.Branch+" of "+s.URL))
	}
	return out, nil
}

// completeContext offers the names of the contexts.
func (sh *shell) completeContext() cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		known, err := sh.loadContexts()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		for _, c := range known.Contexts {
			words = append(words, described(c.Name, c.Server))
		}
		return matching(words, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

func environmentWords(string) []string { return wordsOf(profile.Environments()) }

func strategyWords(string) []string { return wordsOf(profile.StrategyTypes()) }

func wordsOf[T ~string](values []T) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}
