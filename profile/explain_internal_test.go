package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Every field that the decoders accept is explained, and nothing else is.
func TestExplainedIsWhatIsAccepted(t *testing.T) {
	t.Parallel()
	for kind, texts := range map[FileKind]map[string]text{KindProfile: profileTexts, KindBase: baseTexts} {
		paths := append([]string{""}, Explain(kind).Paths()...)
		slices.Sort(paths)
		if written := slices.Sorted(maps.Keys(texts)); !slices.Equal(paths, written) {
			t.Errorf("%s accepts\n%q\nand explains\n%q", kind, paths, written)
		}
		for path, text := range texts {
			if !strings.HasSuffix(text.about, ".") {
				t.Errorf("%s: %s is explained by %q, which is no sentence", kind, path, text.about)
			}
		}
	}
}

// sample is a value of a field's type, as YAML.
func sample(f Field) string {
	switch {
	case len(f.Choices) > 0:
		return f.Choices[0]
	case len(f.Defaults) > 0:
		return f.Defaults[0].Value
	}
	return map[string]string{"version": "1.0.0", "health.metrics.min": "1", "health.metrics.max": "2", "health.endpoint": "/x"}[f.Path]
}

// Each scalar field is accepted by a real load when it is given the value that
// the explanation names, and refused under a name that the explanation lacks.
func TestExplainedValuesAreAccepted(t *testing.T) {
	t.Parallel()
	root := Explain(KindProfile)
	for _, path := range root.Paths() {
		f, _, ok := root.Find(path)
		parts := strings.Split(path, ".")
		value := sample(f)
		if !ok || len(f.Fields) > 0 || value == "" || slices.Contains([]string{"kind", "environment"}, path) {
			continue
		}
		strategy := string(Canary)
		if len(f.UsedBy) > 0 {
			strategy = f.UsedBy[0]
		}
		line := map[bool]string{
			true:  fmt.Sprintf("strategy: {type: %s, %s: %s}", strategy, parts[len(parts)-1], value),
			false: nested(parts, value),
		}[parts[0] == "strategy" && path != "strategy.type"]
		text := "apiVersion: sluice/v1\nkind: ConfigProfile\nname: a\nservice: s\nenvironment: Development\n" + line + "\n"
		_, err := Load(one(text), "", "a.yaml", DefaultLimits())
		if err != nil && !strings.Contains(err.Error(), "a metric needs") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func nested(parts []string, value string) string {
	if len(parts) == 3 { // of a metric, which needs more
		more := "name: m, query: q, dryRun: true, "
		if parts[2] == "dryRun" {
			more = "name: m, query: q, min: 1, "
		}
		return fmt.Sprintf("health: {metrics: [{%s%s: %s}]}", more, parts[2], value)
	}
	if len(parts) == 2 {
		return fmt.Sprintf("%s: {%s: %s}", parts[0], parts[1], value)
	}
	return parts[0] + ": " + value
}

// one is a repository of one file.
type one string

func (o one) ReadFile(string) ([]byte, error) { return []byte(o), nil }

// What an example shows is read without an error or a warning about itself.
func TestExamplesAreRead(t *testing.T) {
	t.Parallel()
	for kind, texts := range map[FileKind]map[string]text{KindProfile: profileTexts, KindBase: baseTexts} {
		for path, text := range texts {
			var example map[string]any
			if err := yaml.Unmarshal([]byte(text.example), &example); err != nil {
				t.Errorf("%s: %s: %v", kind, path, err)
			}
			for key := range example {
				if top, _, _ := strings.Cut(path, "."); path != "" && key != top {
					t.Errorf("%s: the example of %s shows %s", kind, path, key)
				}
			}
			if kind != KindProfile || text.example == "" || path == "extends" || path == "schema" {
				continue
			}
			file := text.example
			for key, value := range map[string]string{"apiVersion": "sluice/v1", "kind": "ConfigProfile", "name": "a", "service": "s", "environment": "Development"} {
				if _, given := example[key]; !given {
					file += "\n" + key + ": " + value
				}
			}
			p, err := Load(one(file), "", "a.yaml", DefaultLimits())
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if len(p.Warnings) > 1 { // one tells that there is no schema
				t.Errorf("%s: %v", path, p.Warnings)
			}
		}
	}
}

func TestDefaultsAreTold(t *testing.T) {
	t.Parallel()
	root := Explain(KindProfile)
	for path, want := range map[string][]Usual{
		"strategy.type":             {{"Development", "Direct"}, {"Staging", "Rolling"}, {"Production", "Canary"}},
		"strategy.steps":            {{"", "[10, 30, 50, 100]"}},
		"strategy.phaseInterval":    {{"", "5m"}},
		"strategy.batchSize":        {{"", "25%"}},
		"strategy.stopOnFailure":    {{"", "true"}},
		"strategy.progressDeadline": {{"", "30m"}},
		"strategy.keepBlueDuration": {{"", "1h"}},
		"strategy.maxConcurrency":   {{"", "0"}},
		"health.enabled":            {{"Development", "false"}, {"Staging", "true"}, {"Production", "true"}},
		"health.errorRateThreshold": {{"", "5"}},
		"health.metrics.provider":   {{"", "prometheus"}},
		"health.metrics.min":        nil,
		"serviceType":               {{"", "Microservice"}},
		"windows.overrun":           {{"", "Finish"}},
		"name":                      nil,
	} {
		f, _, ok := root.Find(path)
		if !ok || !slices.Equal(f.Defaults, want) {
			t.Errorf("%s has the defaults %v, want %v", path, f.Defaults, want)
		}
	}
	for _, path := range []string{"name", "service", "environment", "apiVersion", "kind"} {
		if f, _, _ := root.Find(path); !f.Required {
			t.Errorf("%s is not told to be required", path)
		}
	}
}

func TestFindGuesses(t *testing.T) {
	t.Parallel()
	root := Explain(KindProfile)
	for _, path := range []string{"strategy.steps", "$.strategy.steps", "health.metrics[0].min", "health.metrics[].min", "health.metrics.min", "."} {
		if _, _, ok := root.Find(path); !ok {
			t.Errorf("%s is not found", path)
		}
	}
	for path, want := range map[string]string{
		"strategy.stepps": "strategy.steps", "stratgy": "strategy", "steps": "strategy.steps", "phaseinterval": "strategy.phaseInterval",
		"strategy.errorRateThreshold": "health.errorRateThreshold", "nonsense": "", "data.timeout": "",
	} {
		if _, guess, ok := root.Find(path); ok || guess != want {
			t.Errorf("%s is guessed to be %q, want %q", path, guess, want)
		}
	}
}
