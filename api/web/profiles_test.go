package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
)

func TestStanding(t *testing.T) {
	t.Parallel()
	synced := wire.Config{CurrentVersion: "1.0.0", DesiredVersion: "1.0.0"}
	behind, held, retired := synced, synced, synced
	behind.DesiredVersion, retired.Retired, held.Hold = "1.0.1", true, &wire.Hold{}
	for want, c := range map[web.Standing]struct {
		config wire.Config
		active string
	}{
		web.InSync: {synced, ""}, web.Behind: {behind, ""}, web.OnHold: {held, ""}, web.Retired: {retired, ""}, web.NoVersion: {wire.Config{}, ""},
		web.RollingOut: {behind, "InProgress"}, "RollingBack": {held, "RollingBack"}, "Paused": {behind, "Paused"},
	} {
		var active *wire.Deployment
		if c.active != "" {
			active = &wire.Deployment{Status: c.active}
		}
		if got := web.StandingOf(c.config, active); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A strategy is drawn with what it does, however many phases that are.
func TestAhead(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]wire.Strategy{
		"Canary: 10%, then 100%": {Type: "Canary", Steps: []int{10, 100}},
		"Canary: 1%, then 2%, then 3%, then 4%, then 5%, then 6%, then …, then 100%":    {Type: "Canary", Steps: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 100}},
		"Rolling: 25%, then 50%, then 75%, then 100%":                                   {Type: "Rolling", BatchSize: "25%"},
		"Rolling: 1%, then 2%, then 3%, then …, then 100%":                              {Type: "Rolling", BatchSize: "1%"},
		"Rolling: 3, then 6, then 9, then …, then all":                                  {Type: "Rolling", BatchSize: "3"},
		"Rolling: &lt;b&gt; at a time":                                                  {Type: "Rolling", BatchSize: "<b>"},
		"BlueGreen: the idle group, then verified, then switched, then the other group": {Type: "BlueGreen"},
		"Direct: all at once":                                                           {Type: "Direct"},
		"Direct: 5 at a time":                                                           {Type: "Direct", MaxConcurrency: 5},
	} {
		if got := string(web.Ahead(&s)); !strings.Contains(got, `aria-label="`+want+`"`) {
			t.Errorf("%+v is drawn as %s", s, got)
		}
	}
}

func TestSpreadBar(t *testing.T) {
	t.Parallel()
	s := web.Spread{{Version: "1.0.0", Role: "current", Instances: 9}, {Version: "<b>", Role: "arriving", Instances: 1}, {Role: "none", Instances: 2}}
	bar := string(s.Bar())
	for _, want := range []string{`aria-label="9 run 1.0.0, 1 run &lt;b&gt;, 2 run none yet"`, `x="0.000%" width="75.000%"`, `x="83.333%" width="16.667%"`} {
		if !strings.Contains(bar, want) {
			t.Errorf("no %s in %s", want, bar)
		}
	}
	if s.Total() != 12 || strings.Contains(bar, "<b>") {
		t.Errorf("%d in %s", s.Total(), bar)
	}
}

// A value is shown as YAML that reads back as what it was.
func TestYAML(t *testing.T) {
	t.Parallel()
	got := web.YAML(json.RawMessage(`{"a":"true","b":12345678901234567890,"c":[],"d":{"<<":"x","e":null},"f":"two\nlines"}`))
	for _, want := range []string{`a: "true"`, "b: 12345678901234567890", "c: []", `"<<": x`, "e: null"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if got := web.YAML(json.RawMessage(`{"a": [}`)); got != `{"a": [}` {
		t.Errorf("what is no JSON: %q", got)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	text := func(lines []web.DiffLine) string {
		var b strings.Builder
		for _, line := range lines {
			b.WriteString(line.Sign + line.Text + "|")
		}
		return b.String()
	}
	for _, c := range []struct{ from, to, want string }{
		{"a\nb\nc\n", "a\nx\nc\n", " a|-b|+x| c|"},
		{"a\n", "a\nb\n", " a|+b|"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n", "…| 2| 3| 4|-5|+x| 6| 7| 8|…|"},
		{"a\nb\nc\nd\n", "b\nc\ne\nd\n", "-a| b| c|+e| d|"},
		{strings.Repeat("a\n", 3000), strings.Repeat("b\n", 3000), ""},
	} {
		if got := text(web.Lines(c.from, c.to)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
