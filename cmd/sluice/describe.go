package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/api/wire"
)

func newDescribeCommand(sh *shell) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:   "describe",
		Short: "Show one profile, version, deployment, instance or source, with all that belongs to it",
		Long: `Show one thing for people, with all that belongs to it. -o json and -o yaml show the
body of the API as it is.`,
	})
	conn := connected(sh, cmd)
	cmd.AddCommand(newDescribeProfile(conn), newDescribeVersion(conn), newDescribeDeployment(conn), newDescribeInstance(conn), newDescribeSource(conn))
	return cmd
}

// sheet writes lines of a word and what it says, aligned.
type sheet struct {
	l look
	b strings.Builder
}

func (s *sheet) head(text, state string, c colour) {
	fmt.Fprintf(&s.b, "%s\n\n", strings.TrimRight(s.l.paint(bold, oneLine(text))+"  "+s.l.paint(c, oneLine(state)), " "))
}

// say writes a line, broken where the terminal ends; nothing for "".
func (s *sheet) say(word, text string) {
	if text == "" {
		return
	}
	for i, line := range s.l.wrap(clean(text), max(30, s.l.Width-16)) {
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(&s.b, "  %s  %s\n", s.l.paint(dim, pad(word, 12)), line)
	}
}

// table writes a table below its title, indented.
func (s *sheet) table(title string, t table) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintf(&s.b, "\n  %s\n", s.l.paint(dim, title))
	l := s.l
	l.Width -= 4
	for _, line := range t.lines(l, layout{narrow: true}) {
		s.b.WriteString("    " + line)
	}
}

// block writes text as it is, indented.
func (s *sheet) block(text string) {
	s.b.WriteString("\n")
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		s.b.WriteString("    " + line)
	}
}

func pairs(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, " ")
}

func newDescribeProfile(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile NAME", Aliases: []string{"config"}, Short: "Show a profile: what runs, what Git says, its hold, its last deployments and its instances",
		Args: needs(1, "a profile: sluice describe profile NAME"),
	}
	conn.completes(cmd, profileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		p, err := r.c.Config(ctx, args[0])
		if err != nil {
			return listing{}, err
		}
		deployments, err := r.deployments(ctx, deploymentFilter{Profile: p.Name, Limit: 5})
		if err != nil {
			return listing{}, err
		}
		instances, err := r.instances(ctx, instanceFilter{Service: p.ServiceName, Environment: p.Environment}, nil)
		if err != nil {
			return listing{}, err
		}
		return listing{value: p, kind: "profile", names: []string{p.Name}, text: func(l look) string {
			return drawProfile(p, deployments, instances, l)
		}}, nil
	})
}

func drawProfile(p wire.Config, deployments []wire.Deployment, instances []wire.Instance, l look) string {
	out := &sheet{l: l}
	state := profileState(p)
	out.head(p.Name, state, profileTable(nil, l).paint(6, state))
	out.say("description", p.Description)
	out.say("runs", dash(p.CurrentVersion))
	if p.DesiredVersion != p.CurrentVersion {
		word := "Git says"
		if p.Origin == "API" {
			word = "uploaded"
		}
		out.say(word, dash(p.DesiredVersion))
	}
	if h := p.Hold; h != nil {
		out.say("hold", fmt.Sprintf("refuses %s, begun %s by %s: %s", dash(h.RefusedVersion), l.ago(h.CreatedAt), h.Actor, h.Reason))
		if h.ExpiresAt != nil {
			out.say("", "ends by itself at "+h.ExpiresAt.UTC().Format("2006-01-02 15:04 MST"))
		}
		out.say("revert", h.RevertURL)
		out.say("", "sluice release "+p.Name+" ends it")
	}
	out.say("environment", p.Environment)
	out.say("service", strings.TrimSuffix(p.ServiceName+", "+p.ServiceType, ", "))
	out.say("targets", pairs(p.Labels))
	out.say("schema", dash(p.SchemaID))
	out.say("strategy", p.DefaultStrategy)
	out.say("origin", strings.Join(slices.DeleteFunc([]string{p.Origin, p.Source, p.Path}, func(s string) bool { return s == "" }), " "))
	if len(p.Settings) > 0 {
		out.say("settings", plainJSON(p.Settings))
	}
	out.say("versions", fmt.Sprintf("%d, %s", p.VersionCount, plural(p.DeploymentCount, "deployment")))
	out.say("changed", l.ago(p.UpdatedAt))
	recent := deploymentTable(deployments, l)
	recent.spare = append([]string{"PROFILE"}, recent.spare...)
	out.table("last deployments", recent)
	out.table("instances", targetsTable(p.Name, instances, l))
	return out.b.String()
}

// targetsTable are the instances that a profile reaches.
func targetsTable(profile string, instances []wire.Instance, l look) table {
	var targets []wire.Instance
	for _, i := range instances {
		i.Configs = slices.DeleteFunc(slices.Clone(i.Configs), func(c wire.InstanceConfig) bool { return c.ConfigName != profile })
		if len(i.Configs) > 0 {
			targets = append(targets, i)
		}
	}
	t := instanceTable(targets, l)
	t.spare = []string{"SERVICE", "ENVIRONMENT", "ID", "SEEN"}
	return t
}

func newDescribeVersion(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version PROFILE VERSION", Short: "Show a version with its data, secrets masked",
		Args: needs(2, "a profile and a version: sluice describe version PROFILE VERSION"),
	}
	conn.completes(cmd, profileNames, versionNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		v, err := r.c.Version(ctx, args[0], args[1])
		if err != nil {
			return listing{}, err
		}
		return listing{value: v, kind: "version", names: []string{v.Version}, text: func(l look) string { return drawVersion(v, l) }}, nil
	})
}

func drawVersion(v wire.Version, l look) string {
	out := &sheet{l: l}
	state := ""
	switch {
	case v.Deprecated != "":
		state = "deprecated"
	case v.Superseded:
		state = "superseded"
	}
	out.head(v.ConfigName+" "+v.Version, state, yellow)
	out.say("made", strings.TrimSpace(l.ago(v.CreatedAt)+" "+v.CreatedBy))
	out.say("commit", v.Commit)
	out.say("author", v.Author)
	if v.PullRequest > 0 {
		out.say("pull request", fmt.Sprintf("#%d", v.PullRequest))
	}
	out.say("message", v.Message)
	out.say("description", v.Description)
	out.say("deprecated", v.Deprecated)
	out.say("tags", strings.Join(v.Tags, ", "))
	out.say("metadata", pairs(v.Metadata))
	out.say("schema", dash(v.SchemaID))
	out.say("hash", v.Hash)
	out.say("size", bytesOf(v.SizeBytes))
	var data strings.Builder
	if len(v.ConfigData) > 0 && writeYAML(&data, v.ConfigData) == nil {
		out.block(clean(data.String()))
	}
	return out.b.String()
}

func newDescribeDeployment(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "deployment DEPLOYMENT|PROFILE", Aliases: []string{"deploy"}, Short: "Show a deployment: its phases, its instances, what its gate measures",
		Args: needs(1, "a deployment or a profile: sluice describe deployment PROFILE"),
	}
	conn.completes(cmd, deploymentOrProfileNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		id, err := r.deploymentID(ctx, args[0])
		if err != nil {
			return listing{}, err
		}
		d, err := r.c.Deployment(ctx, id)
		if err != nil {
			return listing{}, err
		}
		return listing{value: d, kind: "deployment", names: []string{d.ID}, text: func(l look) string {
			return drawDeployment(d, l) + "\n" + deploymentNotes(d, l)
		}}, nil
	})
}

// deploymentNotes are what the picture of a deployment has no place for.
func deploymentNotes(d wire.Deployment, l look) string {
	out := &sheet{l: l}
	out.say("id", d.ID)
	out.say("awaits", d.Awaiting)
	out.say("retry of", d.RetryOf)
	out.say("forced", d.Force)
	if d.RollbackReason != "" {
		out.say("rolled back", fmt.Sprintf("%s, by %s: %s", l.agoPtr(d.RollbackAt), d.RollbackBy, d.RollbackReason))
	}
	if d.Exposed > 0 {
		out.say("had it", plural(d.Exposed, "instance")+"; sluice report "+d.ID+" names them")
	}
	out.say("trace", d.TraceID)
	out.say("began", l.agoPtr(d.StartedAt))
	if d.FinishedAt != nil {
		out.say("ended", l.agoPtr(d.FinishedAt))
	}
	return out.b.String()
}

func newDescribeInstance(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "instance ID", Short: "Show an instance: what it runs, what it should run, how it does",
		Args: needs(1, "an instance: sluice describe instance ID (sluice get instances lists them)"),
	}
	conn.completes(cmd, instanceNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		i, err := r.c.Instance(ctx, args[0])
		if err != nil {
			return listing{}, err
		}
		return listing{value: i, kind: "instance", names: []string{i.ID}, text: func(l look) string { return drawInstance(i, l) }}, nil
	})
}

func drawInstance(i wire.Instance, l look) string {
	out := &sheet{l: l}
	state := i.Health
	if i.Liveness != "" && i.Liveness != "Live" {
		state = i.Liveness
	}
	out.head(fmt.Sprintf("%s on %s:%d", i.ServiceName, i.Hostname, i.Port), state, instanceTable(nil, l).paint(4, state))
	out.say("id", i.ID)
	out.say("environment", i.Environment)
	out.say("version", i.Version)
	out.say("labels", pairs(i.Labels))
	out.say("metadata", pairs(i.Metadata))
	out.say("seen", l.ago(i.LastHeartbeat))
	out.say("registered", l.ago(i.RegisteredAt))
	t := table{header: []string{"PROFILE", "RUNS", "SHOULD RUN", "SINCE", "ERROR"}}
	for _, c := range i.Configs {
		t.rows = append(t.rows, []string{c.ConfigName, dash(c.AppliedVersion), dash(c.DesiredVersion), l.agoPtr(c.AppliedAt), dash(c.Error)})
	}
	out.table("configurations", t)
	return out.b.String()
}

func newDescribeSource(conn *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use: "source ID", Short: "Show a source: how far it is read, and what keeps it from being read",
		Args: needs(1, "a source: sluice describe source ID (sluice get sources lists them)"),
	}
	conn.completes(cmd, sourceNames)
	return lister(conn, cmd, func(ctx context.Context, r remote, args []string) (listing, error) {
		s, err := r.source(ctx, args[0])
		if err != nil {
			return listing{}, err
		}
		return listing{value: s, kind: "source", names: []string{s.ID}, text: func(l look) string { return drawSource(s, l) }}, nil
	})
}

func drawSource(s wire.Source, l look) string {
	out := &sheet{l: l}
	state := sourceState(s, l)
	short, _, _ := strings.Cut(state, ":")
	out.head(s.ID, short, sourceListing(nil).table(l).paint(5, state))
	out.say("url", s.URL)
	out.say("branch", s.Branch)
	out.say("path", s.Path)
	out.say("read up to", dash(s.Head))
	out.say("moved", l.agoPtr(s.SyncedAt))
	out.say("error", s.LastError)
	out.say("pull requests", s.PullRequestsError)
	return out.b.String()
}
