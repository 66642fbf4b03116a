package settings_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

func TestLimitsOfOperations(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(settings.Input{Env: func(name string) string {
		return map[string]string{"SLUICE_RATE_LIMITS": "POST /configs = 5, POST /instances/{id}/heartbeat=240"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	limits, err := s.LimitsOfOperations()
	if want := map[string]int{"POST /configs": 5, "POST /instances/{id}/heartbeat": 240}; err != nil || !maps.Equal(limits, want) {
		t.Errorf("limits are %v, %v", limits, err)
	}
	for file, want := range map[string]string{
		"rate_limits: [POST /configs]":                       `rate_limits: "POST /configs" is not like POST /configs=10`,
		"rate_limits: [post /configs=1]":                     "is not like",
		"rate_limits: [/configs=1]":                          "is not like",
		"rate_limits: [POST configs=1]":                      "is not like",
		"rate_limits: [POST /configs=many]":                  "is not like",
		"rate_limits: [POST /configs=0]":                     "0 is not between 1 and 1000000",
		"rate_limits: [POST /configs=1, 'POST  /configs=2']": `"POST /configs" is given twice`,
		"session_lifetime: 1m":                               "session_lifetime: 1m0s is below 5m0s",
		"session_lifetime: 1000h":                            "is over 30 days",
	} {
		if _, err := settings.Load(settings.Input{File: []byte(file)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", file, err, want)
		}
	}
}
