package charts

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
)

// A chart cannot read what is outside of its folder.
var copies = map[string]string{
	"sluice/files/sluice.rules.yaml": "../deploy/prometheus/rules/sluice.rules.yaml",
	"sluice/files/sluice.json":       "../deploy/grafana/dashboards/sluice.json",
}

func TestCopies(t *testing.T) {
	for file, of := range copies {
		want, err := os.ReadFile(of)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is no copy of %s (%v): go test . -run TestCopies -update", file, of, err)
		}
	}
}

// Rules and dashboard arrive as they are written: what looks like a template in
// them is Prometheus' and Grafana's.
func TestRulesAndDashboard(t *testing.T) {
	objects := mustDecode(t, mustRender(t, "everything"))
	rules := one[*monitoringv1.PrometheusRule](t, objects)
	n := 0
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			n++
			if (rule.Alert == "") == (rule.Record == "") || rule.Expr.String() == "" {
				t.Errorf("%s: a rule is neither an alert nor a record: %+v", group.Name, rule)
			}
		}
	}
	if n == 0 {
		t.Error("there are no rules")
	}
	want, err := os.ReadFile(filepath.Join("sluice", "files", "sluice.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range all[*corev1.ConfigMap](objects) {
		text, ok := c.Data["sluice.json"]
		if !ok {
			continue
		}
		found = true
		if c.Labels["grafana_dashboard"] != "1" || text != string(want) || !json.Valid([]byte(text)) {
			t.Errorf("%s is not the dashboard, labels %v", c.Name, c.Labels)
		}
	}
	if !found {
		t.Error("no ConfigMap has the dashboard")
	}
}
