package testenv

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// axeScript is axe-core 4.14.1, which looks for what keeps people out of a page.
//
//go:embed axe/axe.min.js
var axeScript string

// standards are the tags of rules that a page must keep.
var standards = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"}

// Violation is a rule of accessibility that the page breaks.
type Violation struct {
	Rule   string   `json:"id"`
	Impact string   `json:"impact"` // minor, moderate, serious or critical
	Help   string   `json:"help"`
	Tags   []string `json:"tags"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.Rule, v.Impact, v.Help)
	const most = 3 // the others are like them
	for _, node := range v.Nodes[:min(len(v.Nodes), most)] {
		fmt.Fprintf(&b, "\n  %s\n    %s", node.HTML, strings.ReplaceAll(node.Summary, "\n", "\n    "))
	}
	if more := len(v.Nodes) - most; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// grave says whether a page with it is not to be shipped.
func (v Violation) grave() bool {
	return (v.Impact == "serious" || v.Impact == "critical") &&
		slices.ContainsFunc(v.Tags, func(tag string) bool { return slices.Contains(standards, tag) })
}

// Axe looks at the page by every rule of WCAG 2.2 AA that a machine can judge,
// and by those that are good practice, but not by the rules named. Serious and
// critical breaches of WCAG fail the test, all others are logged; it returns all.
func (tab *Tab) Axe(without ...string) []Violation {
	tab.t.Helper()
	found := tab.Violations(without...)
	for _, v := range found {
		if v.grave() {
			tab.t.Errorf("%s breaks %v", tab.Path(), v)
		} else {
			tab.t.Logf("%s could be better: %v", tab.Path(), v)
		}
	}
	return found
}

// Violations is what Axe finds, and fails nothing.
func (tab *Tab) Violations(without ...string) (found []Violation) {
	tab.t.Helper()
	rules := map[string]map[string]bool{}
	for _, rule := range without {
		rules[rule] = map[string]bool{"enabled": false}
	}
	options, err := json.Marshal(map[string]any{
		"runOnly": map[string]any{"type": "tag", "values": append(slices.Clone(standards), "best-practice")},
		"rules":   rules, "resultTypes": []string{"violations"},
		"preload": false, // of styles, by requests that are not the page's
	})
	must(tab.t, err)
	// It takes timers, which stand still where scripts may not run.
	tab.do("let axe run", mayScript(true))
	defer tab.do("let no other script run", mayScript(!tab.noScript))
	// By the debugger, whom alone the page's policy lets in; at once, or it may run on another page than it was put on.
	tab.Eval(fmt.Sprintf("%s; axe.run(document, %s).then(r => r.violations)", axeScript, options), &found)
	return found
}
