package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// row is a line of the dashboard that can be folded.
type row struct {
	title  string
	panels []panel
}

// panel is one picture.
type panel struct {
	title, help string
	kind        kind
	width       int    // of 24; 6 when 0, and 3 of a number
	unit        string // as Grafana names it
	queries     []query
	red, amber  float64 // thresholds of a number; 0 is none
	exemplars   bool    // the points lead to traces
	words       map[string]string
}

// kind is how a panel shows its figures.
type kind string

const (
	lines  kind = "timeseries"
	number kind = "stat"
	list   kind = "table"
)

// query is PromQL with a legend. In it $i stands for the daemons that were chosen.
type query struct{ expr, legend string }

// quantiles are three queries over a histogram.
func quantiles(histogram string) []query {
	var out []query
	for _, q := range []string{"50", "95", "99"} {
		out = append(out, query{fmt.Sprintf("histogram_quantile(.%s, sum by (le) (rate(%s[$__rate_interval])))", q, histogram), "p" + q})
	}
	return out
}

type object map[string]any

// source is the data source that the reader chose.
var source = object{"type": "prometheus", "uid": "${datasource}"}

// The grid that panels lie on.
const (
	columns      = 24
	numberHeight = 4
	height       = 8
)

// build is the dashboard as JSON.
func build() ([]byte, error) {
	var panels []object
	id, top := 0, 0
	for _, r := range rows {
		id++
		panels = append(panels, object{
			"id": id, "type": "row", "title": r.title, "collapsed": false, "panels": []object{}, "gridPos": place(0, top, columns, 1),
		})
		top++
		left, tallest := 0, 0
		for _, p := range r.panels {
			w, h := p.size()
			if left+w > columns || tallest != 0 && h != tallest {
				top, left = top+tallest, 0
			}
			id++
			panels = append(panels, p.draw(id, place(left, top, w, h)))
			left, tallest = left+w, h
		}
		top += tallest
	}
	text, err := json.MarshalIndent(object{
		"uid": "sluice", "title": "Sluice", "tags": []string{"sluice"}, "schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1,
		"description": "Configuration rollouts, what they rest on, and the daemons themselves. docs/monitoring.md says how to read it.",
		"time":        object{"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "browser",
		"templating": object{"list": variables()}, "annotations": object{"list": []object{rollbacks()}},
		"links":  []object{},
		"panels": panels,
	}, "", "  ")
	return append(text, '\n'), err
}

func place(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (p panel) size() (w, h int) {
	w, h = p.width, height
	if p.kind == number {
		h = numberHeight
	}
	switch {
	case w == 0 && p.kind == number:
		w = 3
	case w == 0:
		w = 6
	}
	return w, h
}

func (p panel) draw(id int, at object) object {
	out := object{
		"id": id, "type": string(p.kind), "title": p.title, "description": p.help, "datasource": source, "gridPos": at,
		"targets": p.targets(), "fieldConfig": object{"defaults": p.field(), "overrides": []object{}}, "options": p.options(),
	}
	if p.kind == list {
		out["transformations"] = []object{{"id": "organize", "options": object{"excludeByName": object{"Time": true, "Value": true}}}}
	}
	return out
}

func (p panel) targets() []object {
	var out []object
	for i, q := range p.queries {
		target := object{
			"refId": string(rune('A' + i)), "datasource": source, "expr": strings.ReplaceAll(q.expr, "$i", `instance=~"$instance"`), "legendFormat": q.legend,
			"range": p.kind == lines, "instant": p.kind != lines, "exemplar": p.exemplars,
		}
		if p.kind == list {
			target["format"] = "table"
		}
		out = append(out, target)
	}
	return out
}

func (p panel) field() object {
	steps := []object{{"color": "green", "value": nil}}
	if p.amber != 0 {
		steps = append(steps, object{"color": "orange", "value": p.amber})
	}
	if p.red != 0 {
		steps = append(steps, object{"color": "red", "value": p.red})
	}
	mode := "palette-classic"
	if p.kind == number {
		mode = "thresholds"
	}
	field := object{"unit": p.unit, "min": 0, "color": object{"mode": mode}, "thresholds": object{"mode": "absolute", "steps": steps}, "mappings": p.mappings()}
	if p.kind == lines {
		field["custom"] = object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false}
	}
	return field
}

// mappings show figures as words.
func (p panel) mappings() []object {
	if len(p.words) == 0 {
		return []object{}
	}
	words := object{}
	for figure, word := range p.words {
		words[figure] = object{"text": word}
	}
	return []object{{"type": "value", "options": words}}
}

func (p panel) options() object {
	switch p.kind {
	case number:
		return object{"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}, "colorMode": "value", "graphMode": "none"}
	case list:
		return object{"showHeader": true}
	}
	return object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}

// variables are what a reader chooses from.
func variables() []object {
	return []object{
		{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": object{}, "hide": 0},
		{
			"name": "instance", "label": "Daemon", "type": "query", "datasource": source, "query": object{"query": "label_values(sluice_build_info, instance)", "refId": "instance"},
			"refresh": 2, "multi": true, "includeAll": true, "allValue": ".*", "sort": 1, "hide": 0, "current": object{"text": "All", "value": "$__all"},
		},
	}
}

// rollbacks marks the moments at which something was rolled back.
func rollbacks() object {
	return object{
		"name": "Rollbacks", "enable": true, "iconColor": "red", "datasource": source, "titleFormat": "Rollback, by {{trigger}}",
		"expr": "sum by (trigger) (increase(sluice_rollbacks_total[1m])) > 0", "step": "60s",
	}
}
