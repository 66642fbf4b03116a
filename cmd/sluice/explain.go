package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/profile"
)

const explainLong = `Explain a field of the files that Sluice reads: its type, its default, what it may
be, its unit, and an example. Without a field it lists those of the top level.

It explains a profile (ConfigProfile); --base explains a ConfigBase, and
--settings the keys of the daemon's sluice.yaml. It needs no daemon, and knows
what this very program accepts.`

func newExplainCommand(sh *shell) *cobra.Command {
	var base, forSettings, recursive bool
	cmd := &cobra.Command{
		Use:   "explain [FIELD]",
		Short: "Explain a field of a profile's file, or of the settings",
		Long:  explainLong,
		Example: `  sluice explain
  sluice explain strategy.steps
  sluice explain health.metrics --recursive
  sluice explain --settings database_url`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("needs at most one field: sluice explain strategy.steps")
			}
			return nil
		},
	}
	format := outputFlag(cmd)
	cmd.Flags().BoolVar(&base, "base", false, "of a ConfigBase")
	cmd.Flags().BoolVar(&forSettings, "settings", false, "of the daemon's sluice.yaml")
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "with all fields below it")
	cmd.MarkFlagsMutuallyExclusive("base", "settings")
	root := func() profile.Field {
		switch {
		case forSettings:
			return explainedSettings()
		case base:
			return profile.Explain(profile.KindBase)
		}
		return profile.Explain(profile.KindProfile)
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return fieldNames(root(), toComplete), cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		top := root()
		path := ""
		if len(args) == 1 {
			path = args[0]
		}
		f, guess, ok := top.Find(path)
		if !ok {
			return unknownField(path, f, guess)
		}
		return sh.show(*format, fieldListing(f, recursive))
	}
	return cmd
}

func fieldNames(root profile.Field, toComplete string) []cobra.Completion {
	var out []cobra.Completion
	for _, path := range root.Paths() {
		if f, _, ok := root.Find(path); ok && strings.HasPrefix(path, toComplete) {
			out = append(out, described(path, firstSentence(f.Description)))
		}
	}
	return out
}

func firstSentence(text string) string {
	sentence, _, found := strings.Cut(text, ". ")
	if found {
		sentence += "."
	}
	return sentence
}

// unknownField says which field was probably meant, or which there are where the path ended.
func unknownField(path string, at profile.Field, guess string) error {
	text := fmt.Sprintf("there is no field %q", path)
	switch {
	case guess != "":
		text += ", did you mean " + guess + "?"
	case at.Path == "data" || at.Path == "settings" || at.Path == "targets.labels":
		text += fmt.Sprintf(": what %s holds is yours", at.Path)
		if at.Path == "data" {
			text += ", its schema says what it must be"
		}
	case at.Path != "" && len(at.Fields) == 0:
		text += fmt.Sprintf(": %s is a %s and has no fields", at.Path, at.Type)
	default:
		of := "the file"
		if at.Path != "" {
			of = at.Path
		}
		names := make([]string, len(at.Fields))
		for i, f := range at.Fields {
			names[i] = f.Path[strings.LastIndexByte(f.Path, '.')+1:]
		}
		text += fmt.Sprintf(", %s has %s", of, strings.Join(names, ", "))
	}
	return &exitError{code: exitUnknown, err: errors.New(text)}
}

func fieldListing(f profile.Field, recursive bool) listing {
	names := []string{f.Path}
	if recursive || f.Path == "" {
		names = f.Paths()
	}
	return listing{value: f, names: names, text: func(l look) string { return drawField(f, l, recursive) }}
}

func drawField(f profile.Field, l look, recursive bool) string {
	out := &sheet{l: l}
	name := f.Path
	if name == "" {
		name = "FILE"
	}
	out.head(name, f.Type, dim)
	for _, line := range l.wrap(f.Description, max(30, l.Width-4)) {
		out.b.WriteString("  " + line + "\n")
	}
	facts := &sheet{l: l}
	factsOf(facts, f)
	if facts.b.Len() > 0 {
		out.b.WriteString("\n" + facts.b.String())
	}
	if f.Example != "" {
		out.block(f.Example)
	}
	if len(f.Fields) == 0 {
		return out.b.String()
	}
	out.b.WriteString("\n")
	out.fields(f.Fields, 0, recursive)
	if !recursive && f.Path == "" {
		out.b.WriteString("\n  " + l.paint(dim, "sluice explain FIELD says more, --recursive lists those below too") + "\n")
	}
	return out.b.String()
}

func factsOf(out *sheet, f profile.Field) {
	if f.Required {
		out.say("required", "yes")
	}
	out.say("one of", strings.Join(f.Choices, ", "))
	out.say("default", defaultsText(f.Defaults))
	out.say("unit", f.Unit)
	out.say("limits", f.Limits)
	out.say("used by", strings.Join(f.UsedBy, ", "))
}

func defaultsText(defaults []profile.Usual) string {
	parts := make([]string, len(defaults))
	for i, d := range defaults {
		parts[i] = d.Value
		if d.When != "" {
			parts[i] += " (" + d.When + ")"
		}
	}
	return strings.Join(parts, ", ")
}

// fields lists fields under each other, those below indented.
func (s *sheet) fields(fields []profile.Field, depth int, recursive bool) {
	width := 0
	for _, f := range fields {
		width = max(width, len(f.Path)-strings.LastIndexByte(f.Path, '.')-1)
	}
	indent := strings.Repeat("  ", depth+1)
	for _, f := range fields {
		name := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
		what := f.Type
		if len(f.Choices) > 0 {
			what = strings.Join(f.Choices, ", ")
		}
		if f.Required {
			what += ", required"
		}
		if d := defaultsText(f.Defaults); d != "" && !strings.Contains(d, "(") {
			what += ", default " + d
		}
		left := indent + s.l.paint(bold, pad(name, width)) + "  "
		room := max(30, s.l.Width-len(indent)-width-2)
		text := firstSentence(f.Description)
		lines := s.l.wrap(text+" ("+what+")", room)
		for i, line := range lines {
			if i > 0 {
				left = strings.Repeat(" ", len(indent)+width+2)
			}
			s.b.WriteString(left + line + "\n")
		}
		if recursive && len(f.Fields) > 0 {
			s.fields(f.Fields, depth+1, true)
		}
	}
}

// explainedSettings are the keys of sluice.yaml, from the table that reads them.
func explainedSettings() profile.Field {
	root := profile.Field{
		Type: "settings file", Description: "The daemon's settings: a file, variables of the environment and flags; a flag goes first, then a variable, then the file.",
		Example: "listen: :5000\ndata_dir: /var/lib/sluice\nsources:\n  - {id: configs, url: \"https://git.example.com/configs.git\"}",
	}
	for _, f := range settings.Fields() {
		if !strings.HasPrefix(f.Key, "source_") { // of a single source given by flag: explained below sources
			root.Fields = append(root.Fields, settingField("", f))
		}
	}
	for _, list := range []struct {
		key, about string
		fields     []settings.Field
	}{
		{"sources", "Repositories to watch.", settings.SourceFields()},
		{"traffic_hooks", "Load balancers that are told which group of a BlueGreen profile requests go to.", settings.TrafficHookFields()},
		{"gates", "Webhooks that say whether a deployment may go on.", settings.GateFields()},
		{"notifications", "Who is told of deployments and holds.", nil},
		{"notifications.targets", "Where notifications go.", settings.NotificationTargetFields()},
		{"notifications.routes", "Which target is told of what.", settings.NotificationRouteFields()},
	} {
		entry := profile.Field{Path: list.key, Type: "list of entries", Description: list.about}
		if list.fields == nil {
			entry.Type = "object"
		}
		for _, f := range list.fields {
			entry = withSetting(entry, settingField(list.key+".", f))
		}
		root = withSetting(root, entry)
	}
	return root
}

// withSetting puts a field below the one that its path names, which is made where it is missing.
func withSetting(in, f profile.Field) profile.Field {
	rest := f.Path
	if in.Path != "" {
		rest = strings.TrimPrefix(f.Path, in.Path+".")
	}
	head, _, deeper := strings.Cut(rest, ".")
	if !deeper {
		in.Fields = append(in.Fields, f)
		return in
	}
	path := strings.TrimPrefix(in.Path+"."+head, ".")
	i := slices.IndexFunc(in.Fields, func(c profile.Field) bool { return c.Path == path })
	if i < 0 {
		in.Fields = append(in.Fields, profile.Field{Path: path, Type: "object", Description: "The keys below it."})
		i = len(in.Fields) - 1
	}
	in.Fields[i] = withSetting(in.Fields[i], f)
	return in
}

func settingField(prefix string, f settings.Field) profile.Field {
	out := profile.Field{Path: prefix + f.Key, Type: f.Kind, Description: strings.ToUpper(f.Help[:1]) + f.Help[1:] + "."}
	if f.Default != "" {
		out.Defaults = []profile.Usual{{Value: f.Default}}
	}
	if prefix == "" {
		out.Limits = fmt.Sprintf("also --%s and %s", f.Flag, f.Env)
	}
	if f.Secret {
		out.Limits = strings.TrimPrefix(out.Limits+"; a secret, "+f.Key+"_file names a file that holds it", "; ")
	}
	return out
}
