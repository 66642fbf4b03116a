package api_test

import (
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/profile"
)

// Whatever is uploaded is refused with a reason, or is data that reads back as
// the same.
func FuzzUpload(f *testing.F) {
	for _, seed := range []string{
		`{"a": 1}`, `"{\"a\": [1.50, null, true]}"`, `{"a": 1, "a": 2}`, `{"k": {"$secret": "vault:a#b"}}`, `{"k": {"type": "secret", "value": "x"}}`,
		`"{"`, `[]`, `null`, `"\ud800"`, `{"a": 1e400}`, `{"` + "\x00" + `": 1}`, `{"a": 1} {"b": 2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, status, err := api.Uploaded(raw)
		if err != nil {
			if status != 400 && status != 413 {
				t.Fatalf("refused with %d: %v", status, err)
			}
			return
		}
		again, err := profile.DecodeData(profile.Canonical(data))
		if err != nil || profile.Hash(again) != profile.Hash(data) {
			t.Fatalf("%q reads back as something else (%v)", raw, err)
		}
	})
}

// Whatever a profile is said to be is refused with a reason, or can be rolled out.
func FuzzDefinition(f *testing.F) {
	for _, seed := range []string{
		`{"name": "a.dev", "environment": "Development"}`, `{"name": "a", "environment": "Staging", "defaultStrategy": "Rolling"}`,
		`{"name": "a", "environment": "Staging", "defaultStrategy": {"type": "Canary", "steps": [1, 2], "phaseInterval": "PT5M"}}`,
		`{"name": "a", "environment": "Staging", "health": {"metrics": [{"name": "x", "query": "up", "min": 1}]}, "windows": {"deny": ["22:00-06:00 UTC"]}}`,
		`{"name": "a", "environment": "Staging", "settings": {"a": [1]}, "targetLabels": {"a": "b"}}`, `{"name": "a", "environment": "Staging", "health": 1}`,
		`{"name": ".", "environment": ""}`, `{"defaultStrategy": "\"}, {\""}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, status, err := api.Defined(body)
		if err != nil {
			if status != 400 {
				t.Fatalf("refused with %d: %v", status, err)
			}
			return
		}
		if profile.ValidName(p.Name) != nil || profile.ValidName(p.Service) != nil || len(p.Strategy.Problems())+len(p.Health.Problems()) > 0 {
			t.Fatalf("taken: %+v", p)
		}
	})
}
