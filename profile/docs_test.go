package profile_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

var yamlExample = regexp.MustCompile("(?s)```yaml\n(strategy: .*?)```")

// The strategies that the guide shows are read as they stand there.
func TestStrategiesOfTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[profile.StrategyType]bool{}
	for _, example := range yamlExample.FindAllStringSubmatch(string(guide), -1) {
		text := fmt.Sprintf("apiVersion: sluice/v1\nkind: ConfigProfile\nname: web.staging\nservice: web\nenvironment: Staging\n%s", example[1])
		p, err := profile.Load(repo("web.yaml", text), "", "web.yaml", profile.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", example[1], err)
		}
		if len(p.Warnings) > 1 { // one tells that there is no schema
			t.Errorf("%s: %v", example[1], p.Warnings)
		}
		seen[p.Strategy.Type] = true
	}
	for _, kind := range profile.StrategyTypes() {
		if !seen[kind] {
			t.Errorf("docs/strategies.md has no example of %s", kind)
		}
	}
}

var schemaExample = regexp.MustCompile("(?s)```yaml\n(type: object.*?)```")

// The guide's example of what breaks is what is found.
func TestBreaksOfTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/schemas.md")
	if err != nil {
		t.Fatal(err)
	}
	editions := schemaExample.FindAllStringSubmatch(string(guide), -1)
	if len(editions) != 2 {
		t.Fatalf("the guide has %d schemas", len(editions))
	}
	was, is := compile(t, editions[0][1]), compile(t, editions[1][1])
	var want strings.Builder
	for _, direction := range []profile.Compatibility{profile.CompatibilityBackward, profile.CompatibilityForward} {
		for _, b := range is.Against(was, direction) {
			open := ""
			if b.OpenName {
				open = " (open name)"
			}
			fmt.Fprintf(&want, "%-9s %s: %s%s\n", b.Direction, b.Path, b.Message, open)
		}
	}
	if !strings.Contains(string(guide), "```text\n"+want.String()+"```") {
		t.Errorf("found\n%s", want.String())
	}
}
