package api

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// How often instances beat.
const (
	restingHeartbeat = 30 * time.Second
	busyHeartbeat    = 5 * time.Second // while a deployment involves the instance
	minHeartbeat     = 200 * time.Millisecond
)

func (a *API) registerInstance(c echo.Context) error {
	var req wire.RegisterRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := checkRegistration(req); err != nil {
		return err
	}
	i := fleet.Instance{
		ID: uuid.Must(uuid.NewV7()).String(), Service: req.ServiceName, Hostname: req.Hostname, Port: req.Port,
		Environment: profile.Environment(req.Environment), ServiceVersion: req.Version, Labels: req.Labels, Metadata: req.Metadata,
	}
	token := NewToken(InstanceToken)
	if err := a.opts.Store.RegisterInstance(c.Request().Context(), i, HashToken(token)); err != nil {
		return err
	}
	a.opts.Engine.Wake()
	return c.JSON(http.StatusCreated, wire.RegisterResponse{ID: i.ID, Token: token, HeartbeatSeconds: int(restingHeartbeat.Seconds())})
}

const (
	maxName   = 253
	maxLabels = 64
)

func checkRegistration(req wire.RegisterRequest) error {
	var details []wire.FieldError
	wrong := func(field, message string) {
		details = append(details, wire.FieldError{Field: field, Message: message})
	}
	text := func(field, value string, required bool) {
		if required && value == "" {
			wrong(field, "is required")
		} else if len(value) > maxName || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			wrong(field, fmt.Sprintf("has at most %d printable characters", maxName))
		}
	}
	text("serviceName", req.ServiceName, true)
	text("hostname", req.Hostname, true)
	text("version", req.Version, false)
	switch profile.Environment(req.Environment) {
	case profile.Development, profile.Staging, profile.Production:
	default:
		wrong("environment", "is one of Development, Staging, Production")
	}
	if req.Port < 0 || req.Port > math.MaxUint16 {
		wrong("port", "is a port number")
	}
	for field, pairs := range map[string]map[string]string{"labels": req.Labels, "metadata": req.Metadata} {
		if len(pairs) > maxLabels {
			wrong(field, fmt.Sprintf("has at most %d entries", maxLabels))
		}
		for key, value := range pairs {
			text(field+"."+key, key+value, false)
		}
	}
	if len(details) > 0 {
		return invalid("the registration is not complete", details...)
	}
	return nil
}

func (a *API) listInstances(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	instances, total, err := a.opts.Store.Instances(ctx, store.InstanceFilter{
		Service: c.QueryParam("serviceName"), Environment: c.QueryParam("environment"), Health: c.QueryParam("health"),
		ConfigVersion: c.QueryParam("configVersion"), Limit: limit, Offset: offset,
	})
	if err != nil {
		return err
	}
	items, err := a.withAssignments(c, instances)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(items, total, limit, offset))
}

func (a *API) getInstance(c echo.Context) error {
	i, err := a.opts.Store.Instance(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	items, err := a.withAssignments(c, []fleet.Instance{i})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, items[0])
}

func (a *API) withAssignments(c echo.Context, instances []fleet.Instance) ([]wire.Instance, error) {
	ids := convert(instances, func(i fleet.Instance) string { return i.ID })
	assignments, err := a.opts.Store.AssignmentsOf(c.Request().Context(), ids...)
	if err != nil {
		return nil, err
	}
	of := map[string][]fleet.Assignment{}
	for _, one := range assignments {
		of[one.InstanceID] = append(of[one.InstanceID], one)
	}
	now := a.opts.Now()
	return convert(instances, func(i fleet.Instance) wire.Instance { return wireInstance(i, now, of[i.ID]) }), nil
}

func (a *API) deregisterInstance(c echo.Context) error {
	if err := a.opts.Store.DeregisterInstance(c.Request().Context(), c.Param("id"), who(c).name); err != nil {
		return err
	}
	a.opts.Engine.Wake()
	return c.NoContent(http.StatusNoContent)
}

func (a *API) heartbeat(c echo.Context) error {
	var req wire.HeartbeatRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	sample, err := sampleOf(req.Health)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	i := who(c).instance
	if err := a.opts.Heartbeats.Record(ctx, i.ID, sample); err != nil {
		return err
	}
	interval, active, err := a.opts.Store.ActiveDeploymentFor(ctx, *i)
	if err != nil {
		return err
	}
	next := time.Duration(float64(restingHeartbeat) * (0.9 + 0.2*rand.Float64()))
	if active {
		next = max(min(busyHeartbeat, interval), minHeartbeat)
	}
	set, err := a.assignments(c, i.ID)
	if err != nil {
		return err
	}
	for n := range set.Assignments {
		set.Assignments[n].Data = nil // the heartbeat says what, the stream brings it
	}
	return c.JSON(http.StatusOK, wire.HeartbeatResponse{NextHeartbeatMillis: int(next.Milliseconds()), Assignments: set.Assignments})
}

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
	if h.Requests != nil {
		s.Counted, s.Requests = true, *h.Requests
		if h.Errors != nil {
			s.Errors = *h.Errors
		}
		if s.Errors > s.Requests || s.Requests > math.MaxInt64/2 {
			return s, invalidField("health.errors", "are at most as many as requests")
		}
	}
	if h.Latency != nil {
		s.Latency = fleet.Histogram{Bounds: h.Latency.Bounds, Counts: h.Latency.Counts}
		if err := s.Latency.Validate(); err != nil {
			return s, invalidField("health.latency", err.Error())
		}
	}
	for field, value := range map[string]*float64{"errorRate": h.ErrorRate, "p99Latency": h.P99Latency, "cpuUsage": h.CPUUsage, "memoryUsage": h.MemoryUsage} {
		if value != nil && (math.IsNaN(*value) || *value < 0 || *value > 1e12) {
			return s, invalidField("health."+field, "is a number from 0 on")
		}
	}
	if len(h.CustomMetrics) > maxLabels {
		return s, invalidField("health.customMetrics", fmt.Sprintf("has at most %d entries", maxLabels))
	}
	return s, nil
}

func (a *API) applied(c echo.Context) error {
	var req wire.AppliedRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if req.ConfigName == "" || req.Version == "" {
		return invalid("configName and version are required")
	}
	took := time.Duration(max(0, min(req.DurationMs, int64(time.Hour/time.Millisecond)))) * time.Millisecond
	changed, err := a.opts.Store.Acknowledge(c.Request().Context(), fleet.Ack{
		InstanceID: who(c).instance.ID, Profile: req.ConfigName, Version: req.Version, Hash: req.Hash, Generation: req.Generation,
		OK: req.OK, Error: req.Error, Duration: took,
	})
	if err != nil {
		return err
	}
	if changed {
		if req.OK {
			a.metrics.reload.Observe(took.Seconds())
		}
		a.opts.Engine.Wake()
	}
	return c.NoContent(http.StatusNoContent)
}
