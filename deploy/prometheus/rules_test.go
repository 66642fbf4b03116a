// Package prometheus_test holds Prometheus' configuration and rules to what
// Prometheus itself says of them, and to the guide that they point to.
package prometheus_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFile = "rules/sluice.rules.yaml"
	testsFile = "rules/sluice.rules.test.yaml"
	guide     = "../../docs/monitoring.md"
	guideURL  = "https://github.com/sluicehq/sluice/blob/main/docs/monitoring.md#"
)

type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func read(t *testing.T, file string, into any) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return string(text)
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	read(t, rulesFile, &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func TestPromtoolAgrees(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is needed: please install Prometheus 2.42 or newer (Debian: apt-get install prometheus)")
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"}, {"check", "rules", rulesFile}, {"test", "rules", testsFile},
	} {
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert has a case in which it fires and one in which it does not, says how
// bad it is, and leads to a heading of the guide.
func TestEveryAlertIsShownAndExplained(t *testing.T) {
	t.Parallel()
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name string      `yaml:"alertname"`
				Want []yaml.Node `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	read(t, testsFile, &tests)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, group := range tests.Tests {
		for _, a := range group.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				quiet[a.Name] = true
			}
		}
	}
	headings := map[string]bool{}
	for line := range strings.Lines(read(t, guide, nil)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			headings[name] = true
		}
	}
	alerts := 0
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		alerts++
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: shown firing %t, shown quiet %t", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s says too little: %v", r.Alert, r.Annotations)
		}
		if want := guideURL + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want || !headings[r.Alert] {
			t.Errorf("%s leads to %s; the guide has it: %t", r.Alert, r.Annotations["runbook_url"], headings[r.Alert])
		}
		delete(headings, r.Alert)
	}
	if alerts == 0 {
		t.Error("there are no alerts")
	}
	for name := range headings {
		if strings.HasPrefix(name, "Sluice") {
			t.Errorf("the guide explains %s, which is no alert", name)
		}
	}
}

var metricName = regexp.MustCompile(`\bsluice_[a-z_]+`)

// Rules ask only for metrics that the daemon has, by the list of docs/metrics.md.
func TestRulesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := read(t, filepath.Join("..", "..", "docs", "metrics.md"), nil)
	for _, r := range rules(t) {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			family := name
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				family = strings.TrimSuffix(family, suffix)
			}
			if !strings.Contains(known, "`"+family+"`") {
				t.Errorf("%s%s asks for %s, which no daemon has", r.Alert, r.Record, name)
			}
		}
	}
}
