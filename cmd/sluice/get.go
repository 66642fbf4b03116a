package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

func newGetCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "get",
		Short: "List profiles, versions, deployments, instances or sources",
		Long: `List what there is. -o json and -o yaml show the bodies of the API as they are,
-o name prints kind/name, which every command takes, and -o wide the whole table.

--watch stays and shows what changes: on a terminal the list is drawn again in
place, in a pipe every change is printed once. Ctrl-C ends it, with code 130.`,
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newGetProfiles(conn), newGetVersions(conn), newGetDeployments(conn), newGetInstances(conn), newGetSources(conn))
	return cmd
}

// lister makes a command that lists, from what it asks for and how it is shown.
func lister(conn *connection, cmd *cobra.Command, list func(ctx context.Context, r remote, args []string) (listing, error)) *cobra.Command {
	format := outputFlag(cmd)
	watch := watchFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		r, err := conn.open()
		if err != nil {
			return err
		}
		ask := func(ctx context.Context) (listing, error) { return list(ctx, r, args) }
		if *watch {
			return newListWatcher(conn.sh, *format).run(cmd.Context(), ask)
		}
		answer, err := ask(cmd.Context())
		if err != nil {
			return err
		}
		return conn.sh.show(*format, answer)
	}
	return cmd
}

func newGetProfiles(conn *connection) *cobra.Command {
	var f profileFilter
	cmd := &cobra.Command{
		Use: "profiles [NAME...]", Aliases: []string{"profile", "configs"},
		Short: "List profiles with what runs and what Git says",
	}
	cmd.Flags().StringVar(&f.Environment, "environment", "", "only of this environment")
	cmd.Flags().StringVar(&f.Source, "source", "", "only of this source")
	cmd.Flags().StringVar(&f.ServiceType, "service-type", "", "only of this type of service")
	cmd.Flags().BoolVar(&f.Held, "held", false, "only those on hold")
	complete(cmd, "environment", environmentWords)
	complete(cmd, "service-type", func(string) []string { return wordsOf(profile.ServiceTypes()) })
	conn.completeFlag(cmd, "source", sourceNames)
	conn.completesMany(cmd, profileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		profiles, err := r.profiles(ctx, f, args)
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(profiles))
		for i, p := range profiles {
			names[i] = p.Name
		}
		return listing{value: profiles, kind: "profile", names: names, empty: "no profiles", table: func(l look) table {
			return profileTable(profiles, l)
		}}, nil
	})
}

func profileTable(profiles []wire.Config, l look) table {
	t := table{header: []string{"NAME", "ENVIRONMENT", "CURRENT", "DESIRED", "ORIGIN", "CHANGED", "STATE"}, spare: []string{"ORIGIN", "ENVIRONMENT", "CHANGED", "DESIRED"}}
	for _, p := range profiles {
		t.rows = append(t.rows, []string{
			p.Name, p.Environment, dash(p.CurrentVersion), dash(p.DesiredVersion),
			strings.TrimSuffix(p.Origin+"/"+p.Source, "/"), l.ago(p.UpdatedAt), profileState(p),
		})
	}
	t.paint = func(column int, text string) colour {
		switch {
		case column != 6:
			return plain
		case strings.HasPrefix(text, "on hold"):
			return red
		case text == "in step":
			return green
		}
		return yellow
	}
	return t
}

// profileState says in a few words whether Git and the fleet agree.
func profileState(p wire.Config) string {
	switch {
	case p.Hold != nil && p.Hold.RefusedVersion != "":
		return "on hold, refuses " + p.Hold.RefusedVersion
	case p.Hold != nil:
		return "on hold"
	case p.Retired:
		return "retired"
	case p.DesiredVersion != "" && p.CurrentVersion != p.DesiredVersion:
		return "rolling out"
	case p.CurrentVersion == "":
		return "never deployed"
	}
	return "in step"
}

func newGetVersions(conn *connection) *cobra.Command {
	var limit int
	var tag string
	cmd := &cobra.Command{
		Use: "versions PROFILE", Aliases: []string{"version"},
		Short: "List a profile's versions, newest first",
		Args:  needs(1, "a profile: sluice get versions PROFILE"),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most this many")
	cmd.Flags().StringVar(&tag, "tag", "", "only with this tag, e.g. stable")
	conn.completes(cmd, profileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		versions, err := r.versions(ctx, args[0], tag, limit)
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(versions))
		for i, v := range versions {
			names[i] = v.Version
		}
		return listing{value: versions, kind: "version", names: names, empty: args[0] + " has no versions", table: func(l look) table {
			return versionTable(versions, l)
		}}, nil
	})
}

func versionTable(versions []wire.Version, l look) table {
	t := table{header: []string{"VERSION", "MADE", "COMMIT", "BY", "SIZE", "NOTE", "MESSAGE"}, spare: []string{"SIZE", "COMMIT", "NOTE"}}
	for _, v := range versions {
		var notes []string
		if v.Superseded {
			notes = append(notes, "superseded")
		}
		if v.Deprecated != "" {
			notes = append(notes, "deprecated")
		}
		notes = append(notes, v.Tags...)
		message := firstLine(v.Message)
		if message == "" {
			message = firstLine(v.Description)
		}
		by := v.Author
		if by == "" {
			by = v.CreatedBy
		}
		t.rows = append(t.rows, []string{
			v.Version, l.ago(v.CreatedAt), dash(short(v.Commit)), dash(by), bytesOf(v.SizeBytes), dash(strings.Join(notes, ",")), message,
		})
	}
	return t
}

// bytesOf writes a size for a table.
func bytesOf(n int) string {
	if n < 1<<10 {
		return strconv.Itoa(n) + " B"
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

func newGetDeployments(conn *connection) *cobra.Command {
	var f deploymentFilter
	cmd := &cobra.Command{
		Use: "deployments [PROFILE]", Aliases: []string{"deployment", "deploys"},
		Short: "List deployments, newest first",
		Args:  cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&f.Status, "status", "", "only in this state, e.g. InProgress")
	cmd.Flags().StringVar(&f.Environment, "environment", "", "only of this environment")
	cmd.Flags().StringVar(&f.Commit, "commit", "", "only of this commit")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "at most this many")
	complete(cmd, "environment", environmentWords)
	complete(cmd, "status", func(string) []string { return deploymentStates() })
	conn.completes(cmd, profileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		if len(args) == 1 {
			f.Profile = args[0]
		}
		deployments, err := r.deployments(ctx, f)
		if err != nil {
			return listing{}, err
		}
		names := make([]string, len(deployments))
		for i, d := range deployments {
			names[i] = d.ID
		}
		return listing{value: deployments, kind: "deployment", names: names, empty: "no deployments", table: func(l look) table {
			return deploymentTable(deployments, l)
		}}, nil
	})
}

func deploymentTable(deployments []wire.Deployment, l look) table {
	t := table{header: []string{"ID", "PROFILE", "VERSION", "HOW", "STATUS", "AWAITS", "APPLIED", "STARTED", "WHY"}, spare: []string{"ID", "HOW", "STARTED", "AWAITS"}}
	for _, d := range deployments {
		how := d.Strategy
		if d.Kind != "" && d.Kind != "Forward" {
			how = d.Kind
		}
		t.rows = append(t.rows, []string{
			d.ID, d.ConfigName, d.ConfigVersion, how, d.Status, dash(d.Awaiting),
			fmt.Sprintf("%d/%d", d.Progress.Applied, d.Progress.Targets), l.ago(d.CreatedAt), d.Explanation,
		})
	}
	t.paint = func(column int, text string) colour {
		switch {
		case column == 4:
			return statusColour(text)
		case column == 5 && text != "-" && text != "Acks": // somebody or some time must come first
			return yellow
		}
		return plain
	}
	return t
}

// deploymentStates are the states of a deployment, as a filter takes them.
func deploymentStates() []string {
	return []string{"Pending", "InProgress", "Paused", "RollingBack", "Completed", "Failed", "RolledBack", "Superseded", "Cancelled"}
}

func newGetInstances(conn *connection) *cobra.Command {
	var f instanceFilter
	cmd := &cobra.Command{
		Use: "instances [ID...]", Aliases: []string{"instance"},
		Short: "List instances with what they run and how they do",
	}
	cmd.Flags().StringVar(&f.Service, "service", "", "only of this service")
	cmd.Flags().StringVar(&f.Environment, "environment", "", "only of this environment")
	cmd.Flags().StringVar(&f.Health, "health", "", "only with this health, e.g. Unhealthy")
	cmd.Flags().StringVar(&f.Version, "config-version", "", "only those that run this version of a configuration")
	complete(cmd, "environment", environmentWords)
	complete(cmd, "health", func(string) []string { return []string{"Healthy", "Degraded", "Unhealthy", "Unknown"} })
	conn.completeFlag(cmd, "service", serviceNames)
	conn.completesMany(cmd, instanceNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		instances, err := r.instances(ctx, f, args)
		if err != nil {
			return listing{}, err
		}
		listed := instanceListing(instances)
		if f != (instanceFilter{}) {
			listed.empty = "no such instance has registered; sluice get instances lists them all"
		}
		return listed, nil
	})
}

func instanceListing(instances []wire.Instance) listing {
	names := make([]string, len(instances))
	for i, in := range instances {
		names[i] = in.ID
	}
	return listing{value: instances, kind: "instance", names: names, empty: "no instances have registered", table: func(l look) table {
		return instanceTable(instances, l)
	}}
}

func instanceTable(instances []wire.Instance, l look) table {
	t := table{header: []string{"ID", "SERVICE", "ENVIRONMENT", "HOST", "HEALTH", "SEEN", "RUNS"}, spare: []string{"ID", "ENVIRONMENT", "SERVICE", "SEEN"}, least: 44}
	for _, in := range instances {
		health := in.Health
		if in.Liveness != "" && in.Liveness != "Live" {
			health = in.Liveness
		}
		t.rows = append(t.rows, []string{
			in.ID, in.ServiceName, in.Environment, fmt.Sprintf("%s:%d", in.Hostname, in.Port), health, l.ago(in.LastHeartbeat), runs(in.Configs, l),
		})
	}
	t.paint = func(column int, text string) colour {
		switch {
		case column != 4:
			return plain
		case text == "Healthy":
			return green
		case text == "Unhealthy":
			return red
		}
		return yellow
	}
	return t
}

// runs lists what an instance runs, and what it should run where that differs.
func runs(configs []wire.InstanceConfig, l look) string {
	parts := make([]string, len(configs))
	for i, c := range configs {
		parts[i] = c.ConfigName + "@" + dash(c.AppliedVersion)
		switch {
		case c.Error != "":
			parts[i] += " (refused " + c.DesiredVersion + ")"
		case c.AppliedVersion != c.DesiredVersion:
			parts[i] += " " + l.glyphs().arrow + " " + c.DesiredVersion
		}
	}
	return dash(strings.Join(parts, ", "))
}
