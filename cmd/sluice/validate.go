package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/profile"
)

func newValidateCommand(sh *shell) *cobra.Command {
	var root, source string
	var format *string
	var asks bool
	var conn *connection
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Check profiles, bases and schemas",
		Long: `Check files or whole directories of configuration as the daemon would at merge.

A directory is taken as the root of a repository; for a file the root is the nearest Git work tree above it, or the
file's directory.

With --remote, or --server or --context, the daemon answers what a pull request would be told: it knows the schemas
that were registered, and what version each profile would become. A directory is then a whole tree, whose missing
files leave Git, and a file is laid over the source's last commit. Exit code 0: all valid. 1: problems found. 2: the check could not run.`,
		Args:          func(_ *cobra.Command, args []string) error { return needArgs(args, 1, "a file or directory") },
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(*format); err != nil {
				return trouble(err)
			}
			if asks || cmd.Flags().Changed("server") || cmd.Flags().Changed("context") {
				return conn.validate(cmd.Context(), *format, root, source, args)
			}
			report, err := validatePaths(root, args)
			if err != nil {
				return trouble(err)
			}
			if err := sh.show(*format, report.listing()); err != nil {
				return trouble(fmt.Errorf("print report: %w", err))
			}
			if !report.Valid {
				return &exitError{code: exitProblems}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "directory that is the root of the repository or of the source's path")
	cmd.Flags().BoolVar(&asks, "remote", false, "ask the daemon, as --server and --context do too")
	cmd.Flags().StringVar(&source, "source", "", "with a daemon: the source that the files are of; needed when it has several")
	conn = connected(sh, cmd)
	cmd.PersistentPreRunE = nil // without a daemon, what is wrong with the choice of one does not matter
	conn.completeFlag(cmd, "source", sourceNames)
	format = outputFlag(cmd)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return trouble(err) })
	return cmd
}

func needArgs(args []string, n int, what string) error {
	if len(args) < n {
		return trouble(fmt.Errorf("needs %s", what))
	}
	return nil
}

// validation is the answer of sluice validate.
type validation struct {
	Valid    bool               `json:"valid"`
	Profiles []validatedProfile `json:"profiles"`
	Bases    int                `json:"bases"`
	Schemas  int                `json:"schemas"`
	Problems []profile.Problem  `json:"problems"`

	seen   map[string]bool // files that were checked
	loader *profile.Loader
}

type validatedProfile struct {
	Name        string              `json:"name"`
	Path        string              `json:"path"`
	Environment profile.Environment `json:"environment"`
	Valid       bool                `json:"valid"`
	Hash        string              `json:"hash,omitempty"`
}

// validatePaths checks every path. Its error means that the check could not run.
func validatePaths(root string, paths []string) (*validation, error) {
	v := &validation{Profiles: []validatedProfile{}, Problems: []profile.Problem{}, seen: map[string]bool{}, loader: profile.NewLoader("", profile.Limits{})}
	for _, p := range paths {
		if err := v.path(root, p); err != nil {
			return nil, err
		}
	}
	if len(v.seen) == 0 {
		return nil, fmt.Errorf("no Sluice files in %s", strings.Join(paths, ", "))
	}
	slices.SortStableFunc(v.Problems, func(a, b profile.Problem) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	v.Valid = !slices.ContainsFunc(v.Problems, func(p profile.Problem) bool { return p.Severity == profile.Error })
	return v, nil
}

func (v *validation) path(root, file string) (err error) {
	dir, name, err := locate(root, file)
	if err != nil {
		return err
	}
	tree, err := openTree(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	info, err := tree.root.Stat(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if !info.IsDir() {
		return v.file(tree, name, true)
	}
	names, err := tree.files(name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := v.file(tree, n, false); err != nil {
			return err
		}
	}
	return nil
}

// file checks one file. One that is not Sluice's is passed over, unless it was asked for by name.
func (v *validation) file(tree *diskTree, name string, asked bool) error {
	if v.seen[tree.shown(name)] {
		return nil
	}
	src, err := tree.ReadFile(name)
	switch {
	case errors.Is(err, profile.ErrRefused):
		if asked {
			v.seen[tree.shown(name)] = true
			v.add(tree, profile.Problem{Path: name, Message: err.Error(), Severity: profile.Error})
		}
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", tree.shown(name), err)
	}
	part := profile.PartOf(name, src)
	switch {
	case part == profile.PartProfile:
		err = v.profile(tree, name, src)
	case part == profile.PartBase:
		err = profile.CheckPart(tree, "", name, src)
		v.Bases++
	case part == profile.PartSchema:
		err = profile.CheckPart(tree, "", name, src)
		v.Schemas++
	case asked:
		v.add(tree, profile.Problem{Path: name, Message: "not a Sluice file: it has no apiVersion: " + profile.APIVersion, Severity: profile.Error})
	default:
		return nil
	}
	v.seen[tree.shown(name)] = true
	return v.problems(tree, err)
}

func (v *validation) profile(tree *diskTree, name string, src []byte) error {
	p, err := v.loader.Load(tree, name)
	entry := validatedProfile{Name: p.Name, Path: tree.shown(name), Environment: p.Environment, Valid: err == nil}
	if err == nil {
		entry.Hash = profile.Hash(p.Data)
	}
	for _, w := range p.Warnings {
		v.add(tree, w)
	}
	i := slices.IndexFunc(v.Profiles, func(o validatedProfile) bool { return o.Name == p.Name && p.Name != "" })
	if i >= 0 {
		entry.Valid = false
		line, column := namePlace(src)
		v.add(tree, profile.Problem{Path: name, Line: line, Column: column, Field: "$.name", Severity: profile.Error,
			Message: fmt.Sprintf("profile %s is defined twice, first in %s", p.Name, v.Profiles[i].Path)})
	}
	v.Profiles = append(v.Profiles, entry)
	return err
}

// problems takes over the problems of a load; any other error is handed back.
func (v *validation) problems(tree *diskTree, err error) error {
	ps, ok := errors.AsType[profile.Problems](err)
	if !ok {
		return err
	}
	for _, p := range ps {
		v.add(tree, p)
	}
	return nil
}

// add records a problem once: a broken base is met again by every profile that extends it.
func (v *validation) add(tree *diskTree, p profile.Problem) {
	p.Path = tree.shown(p.Path)
	if !slices.Contains(v.Problems, p) {
		v.Problems = append(v.Problems, p)
	}
}

var nameLine = regexp.MustCompile(`(?m)^["']?name["']?\s*:\s*`)

// namePlace finds the value of a file's top-level name.
func namePlace(src []byte) (line, column int) {
	loc := nameLine.FindIndex(src)
	if loc == nil {
		return 1, 1
	}
	return strings.Count(string(src[:loc[0]]), "\n") + 1, loc[1] - loc[0] + 1
}

// listing shows the report: as text the problems, as names the profiles that are valid.
func (v *validation) listing() listing {
	var names []string
	for _, p := range v.Profiles {
		if p.Valid {
			names = append(names, p.Name)
		}
	}
	return listing{value: v, kind: "profile", names: names, text: v.text}
}

func (v *validation) text(l look) string {
	errorCount, warnings := 0, 0
	var b strings.Builder
	for _, p := range v.Problems {
		c := yellow
		if p.Severity == profile.Error {
			errorCount++
			c = red
		} else {
			warnings++
		}
		fmt.Fprintln(&b, l.paint(c, p.Error()))
	}
	fmt.Fprintf(&b, "%s, %s, %s: %s, %s\n", plural(len(v.Profiles), "profile"), plural(v.Bases, "base"), plural(v.Schemas, "schema"),
		plural(errorCount, "error"), plural(warnings, "warning"))
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
