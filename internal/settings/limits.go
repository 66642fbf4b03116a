package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds on what people can set for the API. A duration is never above 30 days.
const (
	maxLimit           = 1_000_000
	minSessionLifetime = 5 * time.Minute
)

// LimitsOfOperations reads rate_limits: how often a minute each operation may be
// used. Whether there is such an operation, the API knows.
func (s Settings) LimitsOfOperations() (map[string]int, error) {
	limits := make(map[string]int, len(s.RateLimits))
	for _, pair := range s.RateLimits {
		name, number, ok := strings.Cut(pair, "=")
		name = strings.Join(strings.Fields(name), " ")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		method, path, two := strings.Cut(name, " ")
		if !ok || err != nil || !two || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("%q is not like POST /configs=10", pair)
		}
		if n < 1 || n > maxLimit {
			return nil, fmt.Errorf("%q: %d is not between 1 and %d", pair, n, maxLimit)
		}
		if _, twice := limits[name]; twice {
			return nil, fmt.Errorf("%q is given twice", name)
		}
		limits[name] = n
	}
	return limits, nil
}

func (s Settings) checkLimits(check checker) {
	_, err := s.LimitsOfOperations()
	check(err == nil, "rate_limits", "%v", err)
	check(s.SessionLifetime >= minSessionLifetime, "session_lifetime", "%s is below %s", s.SessionLifetime, minSessionLifetime)
}
