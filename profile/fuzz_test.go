package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// FuzzParse loads any bytes as a profile: they must be refused with Problems at places inside the file, or give data
// that survives being written and read again.
func FuzzParse(f *testing.F) {
	for _, tc := range hostile {
		if len(tc.src) < 4096 {
			f.Add([]byte(tc.src))
		}
	}
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		profile.Kind(src)
		p, err := profile.Load(repo("a.yaml", string(src), "bases/common.yaml", baseHead+"data: {x: {y: 1}}\n"), "", "a.yaml", profile.Limits{})
		if err != nil {
			ps, ok := errors.AsType[profile.Problems](err)
			if !ok {
				t.Fatalf("no Problems: %v", err)
			}
			lines := 2 // and one for each character that YAML takes for the end of a line
			for _, r := range string(src) {
				if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) {
					lines++
				}
			}
			for _, problem := range ps {
				if problem.Path == "a.yaml" && (problem.Line < 0 || problem.Line > lines) {
					t.Fatalf("problem on line %d of %d: %s", problem.Line, lines, problem)
				}
			}
			return
		}
		again, err := profile.DecodeData(profile.Canonical(p.Data))
		if err != nil || profile.Hash(again) != profile.Hash(p.Data) {
			t.Fatalf("data does not survive: %v\n%s", err, profile.Canonical(p.Data))
		}
		if !profile.Compare(p.Data, again).Empty() {
			t.Fatal("data differs from itself")
		}
		if found := p.Strategy.Problems(); len(found) > 0 {
			t.Fatalf("a loaded strategy has problems: %v", found)
		}
	})
}

// FuzzDuration reads any text: what passes is within bounds and reads back as itself.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"5m", "PT5M", "-1s", "1e9h", "P1D", "P2W", "PT0.5S", "0", "x", "PT", "9999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := profile.ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 || d > profile.MaxDuration {
			t.Fatalf("%q is %s", s, d)
		}
		if again, err := profile.ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q is %s, which reads as %s, %v", s, d, again, err)
		}
	})
}

// FuzzSchema compiles any bytes and applies what compiles: it must neither panic nor take for ever.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		"type: object\n", `{"$ref": "#"}`, `{"$ref": "http://127.0.0.1:1/x"}`, `{"pattern": "(a{30}){30}"}`, `{"allOf": [{"$ref": "#"}]}`,
		`{"$id": "http://x/y", "$defs": {"a": {"$id": "http://x/y"}}}`, `{"properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": false}`,
		`{"$anchor": "a", "items": {"$ref": "#a"}}`, `{"multipleOf": 0.01}`, `{"patternProperties": {"^a": {"enum": [1, "a"]}}}`,
	} {
		f.Add([]byte(s), `{"a": {"a": [1, "x", {"a": null}]}}`)
	}
	f.Fuzz(func(t *testing.T, src []byte, text string) {
		s, err := profile.CompileSchema("x", src)
		if err != nil {
			return
		}
		d, err := profile.DecodeData([]byte(text))
		if err != nil {
			return
		}
		for _, e := range s.Validate(d) {
			if !strings.HasPrefix(e.Path, "$") || e.Message == "" {
				t.Fatalf("bad error %+v", e)
			}
		}
		if found := s.Breaks(s); len(found) > 0 {
			t.Fatalf("a schema breaks itself: %v", found)
		}
	})
}

// FuzzOverrides: what a deployment overrides is refused or sound, and data files read as data does.
func FuzzOverrides(f *testing.F) {
	for _, seed := range []string{
		`{"steps": [10, 100]}`, `{"phaseInterval": "2m", "autoPromote": false}`, `{"enabled": false, "metrics": []}`, `{"type": "Direct"}`,
		`{"batchSize": 1e1}`, "{\t\"endpoint\": \"/x\"\r\n}", `[]`, `{"a": "\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, kind := range profile.StrategyTypes() {
			s, wrong := profile.OverStrategy(profile.DefaultStrategy(kind), src)
			if len(wrong) == 0 && (s.Type != kind || len(s.Problems()) > 0) {
				t.Fatalf("%q makes %+v", src, s)
			}
		}
		if h, wrong := profile.OverHealth(profile.DefaultHealth(profile.Production), src); len(wrong) == 0 && len(h.Problems()) > 0 {
			t.Fatalf("%q makes %+v", src, h)
		}
		if d, err := profile.ParseData("data.yaml", src); err == nil {
			if again, err := profile.DecodeData(profile.Canonical(d)); err != nil || profile.Hash(again) != profile.Hash(d) {
				t.Fatalf("%q reads back as something else (%v)", src, err)
			}
		}
	})
}
