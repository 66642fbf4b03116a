package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

const (
	shop     = "shop.staging"
	shopFile = "shop/staging.yaml"
	members  = 10
)

// steps are the canary's, in percent; with ten instances also a count of tens.
var steps = []int{10, 30, 50, 100}

// stage is one repository, one daemon that watches it, and one fleet.
type stage struct {
	*daemon
	scene
	t *testing.T

	adminToken string // of requests that no client makes
}

// automatic and byHand are the two ways from one phase to the next.
const (
	automatic = "phaseInterval: 200ms"
	byHand    = "phaseInterval: 200ms, autoPromote: false"
)

// shopWith is the shop's profile with some values.
func shopWith(pace, data string) string {
	return fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: shop
environment: Staging
strategy: {type: Canary, steps: [10, 30, 50, 100], progressDeadline: 10m, %s}
health: {checkInterval: 1s, errorRateThreshold: 5}
data: {%s}
`, shop, pace, data)
}

// empty sets a stage whose repository holds what prepare put into it, and where
// nobody has joined.
func empty(t *testing.T, program string, prepare func(s *stage)) *stage {
	t.Helper()
	s := &stage{t: t, scene: newScene(t)}
	s.daemon = newDaemon(t, program, s.sourceArgs()...)
	s.database = filepath.Join(s.data, "sluice.db")
	prepare(s)
	s.start()
	s.api = s.signIn()
	return s
}

// perform sets a stage on which version 1.0.0 completed on ten instances.
func perform(t *testing.T, program string) *stage {
	t.Helper()
	s := empty(t, program, func(s *stage) {
		s.first = s.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	})
	s.fleet = join(t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	s.concludes(s.first, "Completed")
	return s
}

func final(status string) bool {
	return slices.Contains([]string{"Completed", "Failed", "RolledBack", "Superseded", "Cancelled"}, status)
}
