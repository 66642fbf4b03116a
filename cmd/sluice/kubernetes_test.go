package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/internal/settings"
)

// container is what a manifest says of a program: enough to see whether it would start.
type container struct {
	Name  string
	Image string
	Args  []string
	Env   []struct{ Name, Value string }
}

// containers reads those of this program from the manifests that match.
func containers(t *testing.T, pattern string) map[string][]container {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	found := map[string][]container{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for documents := yaml.NewDecoder(bytes.NewReader(raw)); ; {
			var manifest struct {
				Spec struct {
					Template struct {
						Spec struct {
							InitContainers []container `yaml:"initContainers"`
							Containers     []container
						}
					}
					Containers []container
				}
			}
			if err := documents.Decode(&manifest); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				continue // spec is something else
			}
			s := manifest.Spec
			for _, c := range slices.Concat(s.Containers, s.Template.Spec.Containers, s.Template.Spec.InitContainers) {
				if strings.Contains(c.Image, "/sluice") {
					found[file] = append(found[file], c)
				}
			}
		}
	}
	return found
}

// What the chart and the examples start are commands and flags that exist.
func TestKubernetesManifests(t *testing.T) {
	t.Parallel()
	variables := []string{"SLUICE_CONFIG"}
	for _, f := range settings.Fields() {
		variables = append(variables, f.Env)
	}
	newAgentCommand().Flags().VisitAll(func(f *pflag.Flag) {
		variables = append(variables, agentEnv+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
	})
	for _, pattern := range []string{"charts/testdata/golden/*.yaml", "examples/kubernetes/*.yaml"} {
		for file, list := range containers(t, pattern) {
			for _, c := range list {
				cmd, rest, err := newRootCommand(&shell{stdout: io.Discard, stderr: io.Discard}).Find(c.Args)
				if err != nil || !cmd.Runnable() {
					t.Errorf("%s: %s: %q is no command: %v", file, c.Name, c.Args, err)
					continue
				}
				if err := startable(cmd, rest); err != nil {
					t.Errorf("%s: %s: %v", file, c.Name, err)
				}
				for _, e := range c.Env {
					if strings.HasPrefix(e.Name, "SLUICE_") && !slices.Contains(variables, e.Name) {
						t.Errorf("%s: %s: nothing reads %s", file, c.Name, e.Name)
					}
				}
			}
		}
	}
}

func startable(cmd *cobra.Command, args []string) error {
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// The agents of the examples have all that an agent must be told.
func TestKubernetesAgents(t *testing.T) {
	t.Parallel()
	found := containers(t, "examples/kubernetes/*.yaml")
	if len(found) < 2 {
		t.Fatalf("%d manifests have an agent", len(found))
	}
	for file, list := range found {
		for _, c := range list {
			var o agent.Options
			f := pflag.NewFlagSet("agent", pflag.ContinueOnError)
			agentFlags(f, &o)
			if err := f.Parse(c.Args[1:]); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			err := agentFlagsFromEnv(f, func(name string) (string, bool) {
				for _, e := range c.Env {
					if e.Name == name {
						return e.Value, true
					}
				}
				return "", false
			})
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			s, p := o.Session, o.Probe
			if s.Service == "" || s.Environment == "" || s.RegistrationTokenFile == "" || o.File == "" || p.HealthURL == "" && p.MetricsURL == "" {
				t.Errorf("%s: %s is told too little: %+v", file, c.Name, o)
			}
		}
	}
}

var flagName = regexp.MustCompile("`--([a-z-]+)")

// The agent's page names the flags that there are.
func TestAgentPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "agent.md"))
	if err != nil {
		t.Fatal(err)
	}
	flags := newAgentCommand().Flags()
	for _, m := range flagName.FindAllStringSubmatch(string(page), -1) {
		if flags.Lookup(m[1]) == nil {
			t.Errorf("docs/agent.md names --%s, which does not exist", m[1])
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !strings.Contains(string(page), "`--"+f.Name) {
			t.Errorf("docs/agent.md does not name --%s", f.Name)
		}
	})
}
