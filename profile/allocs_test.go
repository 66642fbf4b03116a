package profile_test

import (
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// What loading one profile takes, over two bases and by a schema that was compiled before.
func TestAllocationsOfALoad(t *testing.T) { // not in parallel: it counts
	const most = 1_300.0
	files, loader := disk("../examples/configs"), profile.NewLoader("", profile.Limits{})
	allocs := testing.AllocsPerRun(20, func() {
		if _, err := loader.Load(files, "payment-service/production.yaml"); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > most {
		t.Errorf("it takes %.0f allocations, at most %.0f are meant to be", allocs, most)
	} else {
		t.Logf("it takes %.0f allocations", allocs)
	}
}
