package main

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
)

// What is overridden for one deployment reaches it, and what cannot be is refused.
func TestDeployOverrides(t *testing.T) {
	t.Parallel()
	a := newRealAPI(t)
	a.deployed(t, "shop.development")
	c := a.console(t, api.Admin)
	c.wants(t, 0, "deploy", "shop.development", "1.0.0", "--strategy", "Canary", "--override", "steps=[50, 100]", "--override", "phaseInterval=2h",
		"--health", "errorRateThreshold=1", "-o", "json")
	out := c.out.String()
	if !strings.Contains(out, `"phaseInterval": "PT2H"`) || !strings.Contains(strings.Join(strings.Fields(out), ""), `"steps":[50,100]`) {
		t.Errorf("it is deployed as %s", out)
	}
	for flag, says := range map[string]string{"steps": "wants FIELD=VALUE", "stepz=[50]": "stepz", "phaseInterval=soon": "phaseInterval"} {
		c.wants(t, 2, "deploy", "shop.development", "1.0.0", "--strategy", "Canary", "--override", flag)
		if !strings.Contains(c.err.String(), says) {
			t.Errorf("--override %s is refused with %q, want %q in it", flag, c.err.String(), says)
		}
	}
}
