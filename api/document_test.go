package api_test

import (
	"os"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/api"
)

// Every route says what it is for, and nothing is described that there is not.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	doors, described := api.DoorsAndOperations(newWorld(t).api)
	for _, door := range doors {
		if !slices.Contains(described, door) {
			t.Errorf("%s has no operation: add one to the api/operations_*.go of its subject", door)
		}
	}
	for _, key := range described {
		if !slices.Contains(doors, key) {
			t.Errorf("the operation %s has no route", key)
		}
	}
}

func TestDump(t *testing.T) {
	w := newWorld(t)
	a := w.want(w.call("", "GET", "//openapi.json", nil), 200)
	os.WriteFile("/tmp/oa/openapi.json", a.body, 0o644)
}
