package compat

import "testing"

func TestCutFormat(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.production": "a.production ", "a.json": "a json", "a.YML": "a yaml", "a.b.properties": "a.b properties", "a.xml": "a.xml ", ".yaml": ".yaml ",
	} {
		if rest, as, _ := cutFormat(name); rest+" "+string(as) != want {
			t.Errorf("%s: %s %s", name, rest, as)
		}
	}
}
