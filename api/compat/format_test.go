package compat

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/profile"
)

// What is written as YAML is read back as it was, by readers of YAML 1.1 too: every text is quoted.
func TestWriteYAML(t *testing.T) {
	t.Parallel()
	const text = `{"country":"no","empty":{},"list":[],"n":1.5,"none":null,"on":true,"port":"8080","time":"12:30","x":{"y":["yes\n","ü",{"z":1}]}}`
	out, err := formatYAML.write(decoded(t, text))
	if err != nil {
		t.Fatal(err)
	}
	const want = `"country": "no"
"empty": {}
"list": []
"n": 1.5
"none": null
"on": true
"port": "8080"
"time": "12:30"
"x":
  "y":
    - "yes\n"
    - "ü"
    - "z": 1
`
	if string(out) != want {
		t.Errorf("it is\n%s", out)
	}
	var back map[string]any
	if err := yaml.Unmarshal(out, &back); err != nil || back["country"] != "no" || back["n"] != 1.5 {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func TestWriteProperties(t *testing.T) {
	t.Parallel()
	data := profile.Data{"a b": "=x", "c:d": " y\nz\t", "e": map[string]any{"ü": "\\ 😀"}, "#": nil}
	const want = "\\#=\na\\ b==x\nc\\:d=\\ y\\nz\\t\ne.\\u00FC=\\\\ \\uD83D\\uDE00\n"
	if got := string(writeProperties(data)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

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
