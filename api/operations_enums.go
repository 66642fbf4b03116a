package api

import (
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

func texts[T ~string](values ...T) []string {
	return convert(values, func(one T) string { return string(one) })
}

var (
	deploymentKinds  = []rollout.Kind{rollout.Forward, rollout.Rollback, rollout.Retirement}
	deploymentStates = []rollout.State{
		rollout.Pending, rollout.InProgress, rollout.Paused, rollout.Completed, rollout.Failed, rollout.RollingBack, rollout.RolledBack,
		rollout.Superseded, rollout.Cancelled,
	}
	awaited = []rollout.Awaiting{
		rollout.AwaitingApproval, rollout.AwaitingWindow, rollout.AwaitingFreeze, rollout.AwaitingPromotion, rollout.AwaitingAcks,
		rollout.AwaitingTraffic, rollout.AwaitingEvidence,
	}
	outcomes   = []rollout.Outcome{rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.Error, rollout.Skipped}
	statuses   = []fleet.Status{fleet.StatusUnknown, fleet.StatusHealthy, fleet.StatusDegraded, fleet.StatusUnhealthy}
	livenesses = []fleet.Liveness{fleet.Live, fleet.Stale, fleet.Gone}
)

// enumerations are the values that fields of the API's bodies may have.
func enumerations() map[string][]string {
	environments, strategies := texts(profile.Environments()...), texts(profile.StrategyTypes()...)
	return map[string][]string{
		"Config.environment":     environments,
		"Config.serviceType":     texts(profile.ServiceTypes()...),
		"Config.defaultStrategy": strategies,
		"Config.origin":          texts(profile.OriginGit, profile.OriginAPI),
		"DiffResponse.bump":      {profile.BumpNone.String(), profile.Patch.String(), profile.Minor.String(), profile.Major.String()},

		"Deployment.kind":           texts(deploymentKinds...),
		"Deployment.strategy":       strategies,
		"Deployment.environment":    environments,
		"Deployment.status":         texts(deploymentStates...),
		"Deployment.awaiting":       texts(awaited...),
		"Deployment.healthRestored": texts(rollout.HealthReturned, rollout.HealthNotReturned, rollout.HealthNoData),
		"Verdict.outcome":           texts(outcomes...),
		"MetricCheck.outcome":       texts(outcomes...),
		"Point.outcome":             texts(outcomes...),

		"CreateDeploymentRequest.strategy": strategies,

		"Instance.environment":        environments,
		"Instance.health":             texts(statuses...),
		"Instance.liveness":           texts(livenesses...),
		"InstanceStatus.health":       texts(statuses...),
		"InstanceStatus.liveness":     texts(livenesses...),
		"RegisterRequest.environment": environments,
		"Health.status":               texts(statuses...),

		"Schema.compatibility":                texts(profile.Compatibilities()...),
		"Schema.status":                       texts(profile.SchemaStatuses()...),
		"SchemaVersion.status":                texts(profile.SchemaStatuses()...),
		"SchemaBreak.direction":               texts(profile.CompatibilityBackward, profile.CompatibilityForward),
		"RegisterSchemaRequest.compatibility": texts(profile.Compatibilities()...),

		"ProfileForecast.bump": {profile.BumpNone.String(), profile.Patch.String(), profile.Minor.String(), profile.Major.String()},

		"CommitStatus.state": texts(rollout.StatusPending, rollout.StatusSuccess, rollout.StatusFailure, rollout.StatusError),

		"User.role":         texts(Roles()...),
		"Token.role":        texts(Roles()...),
		"TokenRequest.role": texts(Roles()...),

		"Probe.status":     {"ok", "degraded", "stopping", "unavailable"},
		"ErrorDetail.code": allCodes(),
	}
}
