package api

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/store"
)

// How often instances beat.
const (
	restingHeartbeat = 30 * time.Second
	busyHeartbeat    = 5 * time.Second // while a deployment involves the instance
	minHeartbeat     = 200 * time.Millisecond
)

func (a *API) heartbeat(c echo.Context) error {
	var req wire.HeartbeatRequest
	if err := decodeKnown(c, &req); err != nil {
		return err
	}
	sample, err := sampleOf(req.Health)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	i := who(c).instance
	heard, err := a.opts.Heartbeats.Beat(ctx, *i, sample)
	if errors.Is(err, store.ErrNotFound) { // so its token is nobody's any more
		a.instances.forget(i.ID)
		return tokenNeeded(c)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.HeartbeatResponse{
		NextHeartbeatMillis: int(nextHeartbeat(heard.CheckInterval, heard.Active).Milliseconds()),
		Assignments:         convert(heard.Assignments, named),
	})
}

// nextHeartbeat is sooner while a deployment wants to see how the instance
// does. At rest it varies, so that a fleet that started at once spreads out.
func nextHeartbeat(interval time.Duration, active bool) time.Duration {
	if active {
		return max(min(busyHeartbeat, interval), minHeartbeat)
	}
	return time.Duration(float64(restingHeartbeat) * (0.9 + 0.2*rand.Float64()))
}

// named is an assignment without its data: a heartbeat says what is assigned,
// the stream brings it, and whoever missed that finds it at the URL.
func named(a fleet.Assignment) wire.Assignment {
	return wire.Assignment{
		ConfigName: a.Profile, Version: a.Version, Generation: a.Generation, Hash: a.Hash, DeploymentID: a.DeploymentID,
		ActiveGroup: a.ActiveGroup, URL: dataURL(a), TraceParent: instanceSpan(a),
	}
}

// Bounds on what an instance says of itself.
const (
	maxFigure   = 1e12
	maxCount    = math.MaxInt64 / 2
	maxCustom   = 64
	maxCustomID = 100
)

// sampleOf checks what an instance says of itself.
func sampleOf(h wire.Health) (fleet.Sample, error) {
	s := fleet.Sample{
		Status: fleet.Status(h.Status), ErrorRate: h.ErrorRate, P99: h.P99Latency, CPU: h.CPUUsage, Memory: h.MemoryUsage, Custom: h.CustomMetrics,
	}
	if s.Status == "" {
		s.Status = fleet.StatusUnknown
	}
	if !known([]fleet.Status{fleet.StatusHealthy, fleet.StatusDegraded, fleet.StatusUnhealthy, fleet.StatusUnknown}, s.Status) {
		return s, invalidField("health.status", "is one of Healthy, Degraded, Unhealthy, Unknown")
	}
	if err := countRequests(h, &s); err != nil {
		return s, err
	}
	if len(h.LatencySketch) > 0 {
		if h.Latency != nil {
			return s, invalidField("health.latencySketch", "and latency are both given, give one")
		}
		var err error
		if s.Latency, err = fleet.ParseSketch(h.LatencySketch); err != nil {
			return s, invalidField("health.latencySketch", err.Error())
		}
	}
	if h.Latency != nil {
		s.Latency = fleet.Histogram{Bounds: h.Latency.Bounds, Counts: h.Latency.Counts}
		if err := s.Latency.Validate(); err != nil {
			return s, invalidField("health.latency", err.Error())
		}
	}
	for field, value := range map[string]*float64{"errorRate": h.ErrorRate, "p99Latency": h.P99Latency, "cpuUsage": h.CPUUsage, "memoryUsage": h.MemoryUsage} {
		if value != nil && (math.IsNaN(*value) || *value < 0 || *value > maxFigure) {
			return s, invalidField("health."+field, "is a number from 0 on")
		}
	}
	return s, checkCustom(h.CustomMetrics)
}

func countRequests(h wire.Health, s *fleet.Sample) error {
	switch {
	case h.Requests == nil && h.Errors != nil:
		return invalidField("health.errors", "need requests beside them")
	case h.Requests == nil:
		return nil
	case *h.Requests > maxCount:
		return invalidField("health.requests", "is more than anybody can have served")
	}
	s.Counted, s.Requests = true, *h.Requests
	if h.Errors != nil {
		s.Errors = *h.Errors
	}
	if s.Errors > s.Requests {
		return invalidField("health.errors", "are at most as many as requests")
	}
	return nil
}

func checkCustom(metrics map[string]float64) error {
	if len(metrics) > maxCustom {
		return invalidField("health.customMetrics", fmt.Sprintf("has at most %d entries", maxCustom))
	}
	for name, value := range metrics {
		if name == "" || len(name) > maxCustomID || !printable(name) {
			return invalidField("health.customMetrics", fmt.Sprintf("has names of 1 to %d printable characters", maxCustomID))
		}
		if math.Abs(value) > maxFigure {
			return invalidField("health.customMetrics."+name, "is too large a number")
		}
	}
	return nil
}
