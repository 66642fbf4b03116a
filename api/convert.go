package api

import (
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// maybe is nil for the zero time.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func wireToken(t store.Token) wire.Token {
	out := wire.Token{ID: t.ID, Name: t.Name, Role: t.Role, CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, Owner: t.Owner, Stopped: t.Stopped, ExpiresAt: maybe(t.ExpiresAt), Profiles: t.Scope.Profiles}
	for _, environment := range t.Scope.Environments {
		out.Environments = append(out.Environments, string(environment))
	}
	return out
}

func wireConfig(r profile.Record, hold *rollout.Hold) wire.Config {
	out := wire.Config{
		Name: r.Name, Description: r.Description, ServiceName: r.Service, Environment: string(r.Environment),
		ServiceType: string(r.ServiceType), SchemaID: r.SchemaID, DefaultStrategy: string(r.Strategy.Type), Labels: r.Targets.Labels,
		Settings: profile.Mask(r.Settings), Origin: string(r.Origin), Source: r.Source, Path: r.Path, CurrentVersion: r.CurrentVersion,
		DesiredVersion: r.DesiredVersion, Retired: r.Retired, VersionCount: r.VersionCount, DeploymentCount: r.DeploymentCount,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, CreatedBy: r.CreatedBy,
	}
	if hold != nil {
		shown := wireHold(*hold)
		out.Hold = &shown
	}
	return out
}

func wireHold(h rollout.Hold) wire.Hold {
	return wire.Hold{
		PinnedVersion: h.PinnedVersion, RefusedVersion: h.RefusedVersion, RefusedHash: h.RefusedHash, Reason: h.Reason,
		Actor: h.Actor, DeploymentID: h.DeploymentID, CreatedAt: h.CreatedAt, ExpiresAt: maybe(h.ExpiresAt), RevertURL: h.RevertURL,
	}
}

func wireVersion(v profile.Version) wire.Version {
	return wire.Version{
		ConfigName: v.Profile, Version: v.Number, Hash: v.Hash, SizeBytes: v.SizeBytes, SchemaID: v.SchemaID, Description: v.Description,
		Tags: v.Tags, Metadata: v.Metadata, Deprecated: v.Deprecated, Commit: v.Commit, Author: v.Author, Message: v.Message,
		PullRequest: v.PullRequest, Superseded: v.Superseded, CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy,
	}
}

func wireDeployment(d rollout.Deployment) wire.Deployment {
	out := wire.Deployment{
		ID: d.ID, ConfigName: d.Profile, ConfigVersion: d.Version, PreviousVersion: d.Previous, Kind: string(d.Kind),
		Strategy: string(d.Strategy.Type), Environment: string(d.Selector.Environment), Status: string(d.State),
		Awaiting: string(d.Awaiting), Explanation: d.Explanation, Phases: d.Progress.Phases, Percent: d.Progress.Percent,
		PhaseName: d.Progress.Phase,
		Progress:  wire.Progress{Targets: d.Progress.Targets, Assigned: d.Progress.Assigned, Applied: d.Progress.Applied, Failed: d.Progress.Failed},
		Source:    d.Source, Commit: d.Commit, PullRequest: d.PullRequest, InitiatedBy: d.InitiatedBy, Cause: d.Cause,
		RetryOf: d.RetryOf, Force: d.Force,
		RollbackReason: d.RollbackReason, RollbackBy: d.RollbackBy, HealthRestored: string(d.HealthRestored), TraceID: d.TraceID,
		CreatedAt: d.CreatedAt, StartedAt: maybe(d.StartedAt), PhaseEnteredAt: maybe(d.PhaseEnteredAt), FinishedAt: maybe(d.FinishedAt),
		Revision: d.Revision,
	}
	if d.Strategy.Type == profile.Canary && d.Kind == rollout.Forward {
		out.Steps = d.Strategy.Steps
	}
	if !d.StartedAt.IsZero() {
		out.Phase = d.Phase + 1
	}
	out.Verdict, out.Recovery = maybeVerdict(d.Verdict), maybeVerdict(d.Recovery)
	out.CommittedAt, out.RollbackAt = maybe(d.CommittedAt), maybe(d.RollbackAt)
	out.Exposed = d.Exposed
	if interval := d.Strategy.PhaseInterval; interval > 0 {
		out.PhaseInterval = interval.String()
	}
	out.PhaseEndsAt = maybe(d.PhaseEnds())
	return out
}

func wireExposure(e rollout.Exposure) wire.Exposure {
	return wire.Exposure{
		InstanceID: e.InstanceID, Hostname: e.Hostname, ServiceVersion: e.ServiceVersion, AppliedAt: maybe(e.AppliedAt),
		ApplyError: e.ApplyError, Requests: e.Requests, Errors: e.Errors, BackAt: maybe(e.BackAt),
	}
}

// maybeVerdict is nil for a check that was never made.
func maybeVerdict(v rollout.Verdict) *wire.Verdict {
	if v.Outcome == "" {
		return nil
	}
	out := wireVerdict(v)
	return &out
}

func wireVerdict(v rollout.Verdict) wire.Verdict {
	return wire.Verdict{Outcome: string(v.Outcome), Reason: v.Reason, Metrics: convert(v.Metrics, func(m rollout.MetricCheck) wire.MetricCheck {
		return wire.MetricCheck{
			Name: m.Name, Provider: m.Provider, Query: m.Query, DryRun: m.DryRun, Outcome: string(m.Outcome), Reason: m.Reason, Unit: m.Unit, N: m.N, Value: m.Value, ControlN: m.ControlN,
			Control: m.Control, BaselineN: m.BaselineN, Baseline: m.Baseline, Threshold: m.Threshold, Limit: m.Limit, P: m.P,
		}
	})}
}

func wireCheck(c rollout.Check) wire.Check {
	return wire.Check{At: c.At, Phase: c.Phase + 1, Verdict: wireVerdict(c.Verdict)}
}

// wireTarget shows one target of a deployment.
func wireTarget(now time.Time) func(rollout.Target) wire.InstanceStatus {
	return func(t rollout.Target) wire.InstanceStatus {
		return wire.InstanceStatus{
			InstanceID: t.Instance.ID, Hostname: t.Instance.Hostname, Liveness: string(t.Instance.Liveness(now)), Health: string(t.Instance.Status),
			DesiredVersion: t.Assignment.Version, AppliedVersion: t.Assignment.Applied, Generation: t.Assignment.Generation,
			AppliedAt: maybe(t.Assignment.AppliedAt), ReloadMillis: t.Assignment.ApplyTime.Milliseconds(), Error: t.Assignment.ApplyError,
		}
	}
}

func wireInstance(i fleet.Instance, now time.Time, assignments []fleet.Assignment) wire.Instance {
	out := wire.Instance{
		ID: i.ID, ServiceName: i.Service, Hostname: i.Hostname, Port: i.Port, Environment: string(i.Environment), Version: i.ServiceVersion,
		Labels: i.Labels, Metadata: i.Metadata, Health: string(i.Status), Liveness: string(i.Liveness(now)),
		RegisteredAt: i.RegisteredAt, LastHeartbeat: i.LastHeartbeat,
	}
	for _, a := range assignments {
		out.Configs = append(out.Configs, wire.InstanceConfig{
			ConfigName: a.Profile, DesiredVersion: a.Version, AppliedVersion: a.Applied, Generation: a.Generation,
			AppliedAt: maybe(a.AppliedAt), Error: a.ApplyError,
		})
	}
	return out
}

func wireAudit(e store.AuditEvent) wire.AuditEvent {
	return wire.AuditEvent{
		ID: e.ID, EventType: e.Fact.Type, EntityType: e.Fact.EntityType, EntityID: e.Fact.EntityID, User: e.Fact.Actor,
		Details: e.Fact.Details, TraceID: e.Fact.TraceID, CreatedAt: e.At, Hash: e.Hash,
	}
}

func wireStatus(s store.CommitStatus) wire.CommitStatus {
	out := wire.CommitStatus{
		Source: s.Source, Commit: s.Commit, Context: s.Context, State: string(s.State), Description: s.Description,
		DeploymentID: s.DeploymentID, UpdatedAt: s.UpdatedAt, PostError: s.PostError, Quiet: s.Quiet,
	}
	if s.Posted() {
		out.PostedAt = maybe(s.PostedAt)
	}
	return out
}

func wireSource(s store.Source) wire.Source {
	return wire.Source{
		ID: s.ID, URL: s.URL, Branch: s.Branch, Path: s.Path, Head: s.Head, SyncedAt: maybe(s.SyncedAt),
		LastError: s.LastError, ErrorSince: maybe(s.ErrorSince), PullRequestsError: s.PullsError,
	}
}
