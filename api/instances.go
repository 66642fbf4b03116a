package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/spans"
	"github.com/sluicehq/sluice/internal/telemetry"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

func (a *API) registerInstance(c echo.Context) error {
	var req wire.RegisterRequest
	if err := decodeKnown(c, &req); err != nil {
		return err
	}
	if err := checkRegistration(req); err != nil {
		return err
	}
	within, err := a.opts.Store.ScopeHasService(c.Request().Context(), who(c).scope, req.ServiceName, profile.Environment(req.Environment))
	if err != nil {
		return err
	}
	if !within {
		return outsideScope("the token's scope has no profile of this service in this environment")
	}
	i := fleet.Instance{
		ID: uuid.Must(uuid.NewV7()).String(), Service: req.ServiceName, Hostname: req.Hostname, Port: req.Port,
		Environment: profile.Environment(req.Environment), ServiceVersion: req.Version, Labels: req.Labels, Metadata: req.Metadata,
	}
	token := NewToken(InstanceToken)
	if err := a.opts.Store.RegisterInstance(c.Request().Context(), i, HashToken(token)); err != nil {
		return err
	}
	a.opts.Wake()
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
		} else if len(value) > maxName || !printable(value) {
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

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func instanceFilter(c echo.Context) (f store.InstanceFilter, err error) {
	if err := filtered(c, "serviceName", "environment", "health", "configVersion", "search"); err != nil {
		return f, err
	}
	f.Service, f.ConfigVersion, f.Search = c.QueryParam("serviceName"), c.QueryParam("configVersion"), c.QueryParam("search")
	if f.Environment, err = among(c, "environment", environments); err != nil {
		return f, err
	}
	f.Health, err = among(c, "health", healths)
	return f, err
}

func (a *API) listInstances(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	f, err := instanceFilter(c)
	if err != nil {
		return err
	}
	f.Limit, f.Offset, f.Scope = limit, offset, who(c).scope
	instances, total, err := a.opts.Store.Instances(ctx, f)
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
		if !who(c).scope.HasName(one.Profile) {
			continue
		}
		of[one.InstanceID] = append(of[one.InstanceID], one)
	}
	now := a.opts.Store.Clock()
	return convert(instances, func(i fleet.Instance) wire.Instance { return wireInstance(i, now, of[i.ID]) }), nil
}

func (a *API) deregisterInstance(c echo.Context) error {
	if err := a.opts.Store.DeregisterInstance(c.Request().Context(), c.Param("id"), who(c).name); err != nil {
		return err
	}
	a.instances.forget(c.Param("id"))
	a.marks.doubt(c.Param("id")) // its streams end
	a.opts.Wake()
	return c.NoContent(http.StatusNoContent)
}

func (a *API) applied(c echo.Context) error {
	var req wire.AppliedRequest
	if err := decodeKnown(c, &req); err != nil {
		return err
	}
	if req.ConfigName == "" || req.Version == "" {
		return invalid("configName and version are required")
	}
	if s := req.Snapshot; s != nil && (len(s.Version) > maxName || !printable(s.Version)) {
		return invalidField("snapshot.version", "is no version")
	}
	took := time.Duration(max(0, min(req.DurationMs, int64(time.Hour/time.Millisecond)))) * time.Millisecond
	ack := fleet.Ack{
		InstanceID: who(c).instance.ID, Profile: req.ConfigName, Version: req.Version, Hash: req.Hash, Generation: req.Generation,
		OK: req.OK, Error: req.Error, Duration: took,
	}
	assigned, changed, err := a.opts.Store.Acknowledge(c.Request().Context(), ack)
	if err != nil {
		return err
	}
	if changed && req.Snapshot != nil {
		a.startedFromSnapshot(c, ack, *req.Snapshot)
	}
	if changed {
		a.opts.Wake()
		if req.Version == assigned.Version && req.Generation >= assigned.Generation {
			tellAnswered(assigned, ack, who(c).instance.Hostname, a.opts.Store.Clock())
		}
		if req.OK {
			ctx := spans.With(c.Request().Context(), assigned.TraceParent) // the deployment's trace, whether or not the instance has any
			telemetry.Observe(ctx, a.metrics.reload, took.Seconds())
			a.propagated(ctx, ack)
		}
	}
	return c.NoContent(http.StatusNoContent)
}

// FactSnapshotStart is that an instance ran a bootstrap snapshot while no server answered.
const FactSnapshotStart = "instance.started_from_snapshot"

// startedFromSnapshot notes what nobody here could see: what the instance ran until it heard of us.
// That it cannot be noted is no reason to refuse the acknowledgement, which is kept already.
func (a *API) startedFromSnapshot(c echo.Context, ack fleet.Ack, s wire.SnapshotStart) {
	ctx, i := c.Request().Context(), who(c).instance
	a.log.WarnContext(ctx, "an instance had started from a bootstrap snapshot", "instance", i.ID, "hostname", i.Hostname, "profile", ack.Profile,
		"version", s.Version, "written_at", s.WrittenAt, "started_at", s.StartedAt)
	err := a.opts.Store.Record(ctx, rollout.Fact{Type: FactSnapshotStart, EntityType: "instance", EntityID: i.ID, Actor: i.ID, TraceID: traceID(c),
		Details: map[string]any{"profile": ack.Profile, "version": s.Version, "writtenAt": s.WrittenAt.UTC().Format(time.RFC3339), "startedAt": s.StartedAt.UTC().Format(time.RFC3339)}})
	if err != nil {
		a.log.ErrorContext(ctx, "a start from a bootstrap snapshot could not be noted", "instance", i.ID, "error", err)
	}
}

// propagated measures how long a version took to come here. What the instance
// said is kept already: a measurement that fails is not its concern.
func (a *API) propagated(ctx context.Context, ack fleet.Ack) {
	took, ok, err := a.opts.Store.Propagation(ctx, ack.InstanceID, ack.Profile)
	if err != nil {
		a.log.WarnContext(ctx, "a propagation could not be measured", "error", err)
	}
	if ok {
		telemetry.Observe(ctx, a.metrics.propagation, took.Seconds())
	}
}
