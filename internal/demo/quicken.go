package demo

import (
	"fmt"
	"strings"
)

// quicken gives the example profiles the pace of a demo: seconds instead of
// minutes between phases, and no window that would forbid to start now.
// Everything else is as in examples/.
func quicken(files map[string]string) (map[string]string, error) {
	edits := []struct{ path, old, new string }{
		{paymentFile, "phaseInterval: 5m", "phaseInterval: 1s"},
		{paymentFile, "checkInterval: 30s", "checkInterval: 1s"},
		// Whoever runs the demo does other things beside it: the machine's own hiccups are no news.
		{paymentFile, "latencyThreshold: 50.0 ", "latencyThreshold: 300.0 "},
		{paymentFile, "windows:\n  deny: [\"Fri 16:00-Mon 06:00 Europe/Berlin\"]\n", ""},
		{paymentFile, "data:\n", "data:\n  timeout: 200ms\n"},
		// The demo has no Vault.
		{paymentFile, `"vault:secret/payment#api_key"`, `"env:SLUICE_SECRET_PAYMENT_API_KEY"`},
		{searchFile, "phaseInterval: 2m", "phaseInterval: 1s\nhealth:\n  checkInterval: 1s\n  latencyThreshold: 300"},
	}
	for _, e := range edits {
		if strings.Count(files[e.path], e.old) != 1 {
			return nil, fmt.Errorf("the example %s has changed: %q does not stand there exactly once", e.path, e.old)
		}
		files[e.path] = strings.Replace(files[e.path], e.old, e.new, 1)
	}
	return files, nil
}
