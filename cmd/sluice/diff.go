package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluicehq/sluice/profile"
)

func newDiffCommand() *cobra.Command {
	var root, output string
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare the effective data of two profiles",
		Long: `Compare two profile files by meaning: the effective data of each, bases included, key by key.
Secrets are shown as ***. Exit code 0: no difference. 1: a difference. 2: the comparison could not run.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return trouble(errors.New("needs two profile files"))
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			c, err := compareFiles(root, args[0], args[1])
			if err != nil {
				return trouble(err)
			}
			out := cmd.OutOrStdout()
			if err := c.print(out, output, isTerminal(out)); err != nil {
				return trouble(fmt.Errorf("print difference: %w", err))
			}
			if !c.Diff.Empty() {
				return &exitError{code: exitProblems}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "directory that is the root of the repository or of the source's path")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "output format: text or json")
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

func (c *comparison) print(w io.Writer, format string, colour bool) error {
	if format == "json" {
		return writeReportJSON(w, c)
	}
	text := c.Diff.Unified(c.names[0], c.names[1])
	if colour {
		text = colourDiff(text)
	}
	version := fmt.Sprintf("next version %s after %s", c.NextVersion, c.PreviousVersion)
	switch {
	case c.Diff.Empty():
		version = "no new version"
	case c.VersionProblem != "":
		version = c.VersionProblem
	}
	_, err := fmt.Fprintf(w, "%s%s: %s, %s\n", text, c.Diff.Summary(), c.Bump, version)
	return err
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

// isTerminal reports whether colours make sense on w; NO_COLOR turns them off.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}
