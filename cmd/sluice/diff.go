package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/profile"
)

func newDiffCommand(sh *shell) *cobra.Command {
	var root string
	var format *string
	var conn *connection
	cmd := &cobra.Command{
		Use:   "diff A B | PROFILE VERSION VERSION",
		Short: "Compare two profile files, or two versions of a profile",
		Long: `Compare two profile files by meaning: the effective data of each, bases included,
key by key. With a profile and two of its versions, compare what the daemon has.
Secrets are shown as ***.

Exit code 0: no difference. 1: a difference. Others: the comparison could not run.`,
		Example: `  sluice diff payment-service/staging.yaml payment-service/production.yaml
  sluice diff payment-service.production 1.3.0 1.4.0`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 && len(args) != 3 {
				return trouble(errors.New("needs two profile files, or a profile and two of its versions"))
			}
			return nil
		},
		Annotations:   map[string]string{takesFiles: "true"},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(*format); err != nil {
				return trouble(err)
			}
			if len(args) == 3 {
				return diffVersions(cmd.Context(), conn, *format, bare(args[0]), args[1], args[2])
			}
			c, err := compareFiles(root, args[0], args[1])
			if err != nil {
				return trouble(err)
			}
			if err := sh.show(*format, c.listing()); err != nil {
				return trouble(fmt.Errorf("print difference: %w", err))
			}
			if !c.Diff.Empty() {
				return &exitError{code: exitProblems}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "directory that is the root of the repository or of the source's path")
	format = outputFlag(cmd)
	conn = connected(sh, cmd)
	cmd.PersistentPreRunE = nil // files need no server
	cmd.ValidArgsFunction = conn.filesOrVersions
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return trouble(err) })
	return cmd
}

// comparison is the answer of sluice diff, in the words of the API.
type comparison struct {
	Diff             profile.Diff `json:"diff"`
	IsBreakingChange bool         `json:"isBreakingChange"`
	Bump             string       `json:"bump"`
	PreviousVersion  string       `json:"previousVersion"`
	NextVersion      string       `json:"nextVersion,omitempty"`
	VersionProblem   string       `json:"versionProblem,omitempty"`

	names [2]string
}

func compareFiles(root, a, b string) (*comparison, error) {
	old, err := loadFile(root, a)
	if err != nil {
		return nil, err
	}
	new, err := loadFile(root, b)
	if err != nil {
		return nil, err
	}
	d := profile.Compare(old.Data, new.Data)
	c := &comparison{
		Diff: d.Masked(), IsBreakingChange: d.Breaking(), Bump: d.Bump().String(),
		PreviousVersion: old.Version, names: [2]string{a, b},
	}
	if c.PreviousVersion == "" {
		c.PreviousVersion = profile.FirstVersion // as if A were the first that was merged
	}
	if c.NextVersion, err = profile.NextVersion(c.PreviousVersion, new.Version, d); err != nil {
		c.VersionProblem = err.Error()
	}
	return c, nil
}

func loadFile(root, file string) (p profile.Profile, err error) {
	dir, name, err := locate(root, file)
	if err != nil {
		return p, err
	}
	tree, err := openTree(dir)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	p, err = profile.Load(tree, "", name, profile.Limits{})
	if ps, ok := errors.AsType[profile.Problems](err); ok {
		for i := range ps {
			ps[i].Path = tree.shown(ps[i].Path)
		}
		return p, ps
	}
	return p, err
}

// listing shows the comparison: as text a unified diff, as names the fields that differ.
func (c *comparison) listing() listing {
	var names []string
	for _, changes := range [][]profile.Change{c.Diff.Added, c.Diff.Removed, c.Diff.Modified} {
		for _, change := range changes {
			names = append(names, change.Field)
		}
	}
	return listing{value: c, names: names, text: c.text}
}

func (c *comparison) text(l look) string {
	text := c.Diff.Unified(c.names[0], c.names[1])
	if l.Color {
		text = colourDiff(text)
	}
	version := fmt.Sprintf("next version %s after %s", c.NextVersion, c.PreviousVersion)
	switch {
	case c.Diff.Empty():
		version = "no new version"
	case c.VersionProblem != "":
		version = c.VersionProblem
	}
	return fmt.Sprintf("%s%s: %s, %s\n", text, c.Diff.Summary(), c.Bump, version)
}

// colourDiff paints removed lines red and added ones green.
func colourDiff(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		code := ""
		switch line[0] {
		case '-':
			code = "\x1b[31m"
		case '+':
			code = "\x1b[32m"
		}
		if code == "" {
			b.WriteString(line)
			continue
		}
		b.WriteString(code + strings.TrimSuffix(line, "\n") + "\x1b[0m\n")
	}
	return b.String()
}
