package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the dashboard again")

// shipped is the file from this folder.
var shipped = filepath.Join("..", "..", file)

type shape struct {
	Panels []struct {
		ID         int                        `json:"id"`
		Type       string                     `json:"type"`
		Title      string                     `json:"title"`
		GridPos    struct{ X, Y, W, H int }   `json:"gridPos"`
		Datasource struct{ Type, UID string } `json:"datasource"`
		Targets    []struct {
			RefID      string                     `json:"refId"`
			Expr       string                     `json:"expr"`
			Datasource struct{ Type, UID string } `json:"datasource"`
		} `json:"targets"`
		FieldConfig struct {
			Defaults struct{ Unit string } `json:"defaults"`
		} `json:"fieldConfig"`
	} `json:"panels"`
	Templating struct {
		List []struct{ Name, Type string } `json:"list"`
	} `json:"templating"`
}

func TestTheShippedDashboardIsThisOne(t *testing.T) {
	t.Parallel()
	want, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(shipped, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is out of date: go run ./deploy/grafana", file)
	}
}

// What Grafana would take and show wrongly.
func TestTheDashboardIsSound(t *testing.T) {
	t.Parallel()
	text, err := build()
	if err != nil {
		t.Fatal(err)
	}
	var d shape
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids, titles, taken, row := map[int]bool{}, map[string]bool{}, map[[2]int]string{}, ""
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s has the id %d, which another has", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= columns {
					t.Fatalf("%s lies over %s, or beside the grid, at %d, %d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			row = p.Title
			continue
		}
		if titles[row+"/"+p.Title] {
			t.Errorf("two panels of %s are called %s", row, p.Title)
		}
		titles[row+"/"+p.Title] = true
		if p.Datasource.UID != "${datasource}" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s: data source %q, unit %q, %d queries", p.Title, p.Datasource.UID, p.FieldConfig.Defaults.Unit, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.Datasource.UID != "${datasource}" || !strings.Contains(q.Expr, `instance=~"$instance"`) || strings.Contains(q.Expr, "$i}") {
				t.Errorf("%s %s: data source %q, %s", p.Title, q.RefID, q.Datasource.UID, q.Expr)
			}
			refs[q.RefID] = true
		}
	}
	if names := fmt.Sprint(d.Templating.List); names != "[{datasource datasource} {instance query}]" {
		t.Errorf("the variables are %s", names)
	}
}

// The traces that exemplars lead to are in a data source that is provisioned.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	read := func(file string, into any) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var raw struct {
		Datasources []map[string]any
	}
	read("provisioning/datasources/sluice.yaml", &raw)
	types := map[string]string{}
	for _, d := range raw.Datasources {
		types[fmt.Sprint(d["uid"])] = fmt.Sprint(d["type"])
	}
	var leads bool
	for _, d := range raw.Datasources {
		more, _ := d["jsonData"].(map[string]any)
		links, _ := more["exemplarTraceIdDestinations"].([]any)
		for _, link := range links {
			l, _ := link.(map[string]any)
			leads = l["name"] == "trace_id" && types[fmt.Sprint(l["datasourceUid"])] == "jaeger"
		}
	}
	if !leads || types["prometheus"] != "prometheus" {
		t.Errorf("exemplars lead to no traces: %v", raw.Datasources)
	}
	var boards struct {
		Providers []struct {
			Options struct{ Path string }
		}
	}
	read("provisioning/dashboards/sluice.yaml", &boards)
	if len(boards.Providers) != 1 || boards.Providers[0].Options.Path != "/var/lib/grafana/dashboards" {
		t.Errorf("the dashboards come from %v", boards.Providers)
	}
}
