package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// The headers of conditional requests that echo has no names for.
const (
	headerETag        = "ETag"
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
)

// etagOf is the strong tag of what is answered with value: another byte, another tag.
func etagOf(value any) (string, error) {
	text, err := encode(value)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// tagged answers a GET with the value and its tag, or with 304 to whoever has it.
func tagged(c echo.Context, value any) error {
	tag, err := etagOf(value)
	if err != nil {
		return err
	}
	c.Response().Header().Set(headerETag, tag)
	if names(c.Request().Header.Values(headerIfNoneMatch), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.JSON(http.StatusOK, value)
}

// names says whether a header of tags names one, or is "*". A tag that was
// weakened on its way, as by a proxy that compresses, is still that of the value.
func names(header []string, tag string) bool {
	for _, line := range header {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == "*" || one == tag {
				return true
			}
		}
	}
	return false
}

// matches refuses a write by somebody who saw something else than what is there.
func matches(c echo.Context, seen any) error {
	header := c.Request().Header.Values(headerIfMatch)
	if len(header) == 0 {
		return nil
	}
	tag, err := etagOf(seen)
	if err != nil || names(header, tag) {
		return err
	}
	return preconditionFailed("it changed since it was read: read it again, its ETag is " + tag + " now")
}

// mustBeNew says that the caller wants nothing but to make something new.
func mustBeNew(c echo.Context) bool {
	return strings.TrimSpace(c.Request().Header.Get(headerIfNoneMatch)) == "*"
}

// taken refuses to make what is there: 412 to whoever made that a condition.
func taken(c echo.Context, message string) error {
	if mustBeNew(c) {
		return preconditionFailed(message)
	}
	return conflict(message)
}

func preconditionFailed(message string) *problem {
	return &problem{status: http.StatusPreconditionFailed, code: "PRECONDITION_FAILED", message: message}
}

// wholeConfig is what GET /configs/{name} answers.
func wholeConfig(k store.Kept) wire.Config {
	out := wireConfig(k.Record, k.Hold)
	strategy, health, windows := wireStrategy(k.Record.Strategy), wireHealth(k.Record.Health), wireWindows(k.Record.Windows)
	out.Strategy, out.Health, out.Windows = &strategy, &health, windows
	return out
}

// wholeVersion is what GET /configs/{name}/versions/{version} answers.
func wholeVersion(v profile.Version) wire.Version {
	out := wireVersion(v)
	out.ConfigData = profile.Canonical(profile.Mask(v.Data))
	return out
}

func wireStrategy(s profile.Strategy) wire.Strategy {
	return wire.Strategy{
		Type: string(s.Type), Steps: s.Steps, PhaseInterval: duration(s.PhaseInterval), AutoPromote: s.AutoPromote,
		ProgressDeadline: duration(s.ProgressDeadline), BatchSize: s.BatchSize, BatchInterval: duration(s.BatchInterval),
		StopOnFailure: s.StopOnFailure, MaxConcurrency: s.MaxConcurrency, VerificationPeriod: duration(s.VerificationPeriod),
		KeepBlueDuration: duration(s.KeepBlueDuration), TrafficHook: s.TrafficHook,
	}
}

// duration is "" for none.
func duration(d profile.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func wireHealth(h profile.Health) wire.HealthRules {
	out := wire.HealthRules{
		Enabled: h.Enabled, CheckInterval: duration(h.CheckInterval), ErrorRateThreshold: h.ErrorRateThreshold,
		LatencyThreshold: h.LatencyThreshold, FailedCheckThreshold: h.FailedCheckThreshold, Endpoint: h.Endpoint, AutoRollback: h.AutoRollback,
	}
	for _, m := range h.Metrics {
		out.Metrics = append(out.Metrics, wire.HealthMetric{Name: m.Name, Provider: m.Provider, Query: m.Query, Min: m.Min, Max: m.Max, DryRun: m.DryRun})
	}
	return out
}

// wireWindows is nil where there are none.
func wireWindows(w profile.Windows) *wire.Windows {
	if len(w.Deny) == 0 {
		return nil
	}
	return &wire.Windows{Deny: convert(w.Deny, profile.Window.String), Overrun: string(w.Overrun)}
}
