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
	deploymentKinds = []rollout.Kind{rollout.Forward, rollout.Rollback, rollout.Retirement}
	awaited         = []rollout.Awaiting{
		rollout.AwaitingApproval, rollout.AwaitingWindow, rollout.AwaitingFreeze, rollout.AwaitingPromotion, rollout.AwaitingAcks,
		rollout.AwaitingTraffic, rollout.AwaitingEvidence,
	}
	outcomes   = []rollout.Outcome{rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.Error, rollout.Skipped}
	livenesses = []fleet.Liveness{fleet.Live, fleet.Stale, fleet.Gone}
)

// enumerations are the values that fields of the API's bodies may have.
func enumerations() map[string][]string {
	places, strategies := texts(environments...), texts(profile.StrategyTypes()...)
	return map[string][]string{
		"Config.environment":              places,
		"Config.serviceType":              texts(serviceTypes...),
		"Config.defaultStrategy":          strategies,
		"Config.origin":                   texts(profile.OriginGit, profile.OriginAPI),
		"CreateConfigRequest.environment": places,
		"CreateConfigRequest.serviceType": texts(serviceTypes...),
		"UpdateConfigRequest.environment": places,
		"UpdateConfigRequest.serviceType": texts(serviceTypes...),
		"Strategy.type":                   strategies,
		"HealthMetric.provider":           {profile.ProviderPrometheus, profile.ProviderHeartbeat, profile.ProviderWebhook},
		"Windows.overrun":                 texts(profile.Overruns()...),
		"DiffResponse.bump":               {profile.BumpNone.String(), profile.Patch.String(), profile.Minor.String(), profile.Major.String()},

		"Deployment.kind":           texts(deploymentKinds...),
		"Deployment.strategy":       strategies,
		"Deployment.environment":    places,
		"Deployment.status":         texts(states...),
		"Deployment.awaiting":       texts(awaited...),
		"Deployment.healthRestored": texts(rollout.HealthReturned, rollout.HealthNotReturned, rollout.HealthNoData),
		"Verdict.outcome":           texts(outcomes...),
		"MetricCheck.outcome":       texts(outcomes...),
		"Point.outcome":             texts(outcomes...),

		"Logging.configured":   levels,
		"Logging.level":        levels,
		"LoggingRequest.level": levels,

		"RollbackPreview.kind": {previewTurn, previewCancel, previewNew, previewOn},

		"CreateDeploymentRequest.strategy": strategies,

		"Instance.environment":        places,
		"Instance.health":             texts(healths...),
		"Instance.liveness":           texts(livenesses...),
		"InstanceStatus.health":       texts(healths...),
		"InstanceStatus.liveness":     texts(livenesses...),
		"RegisterRequest.environment": places,
		"Health.status":               texts(healths...),

		"Schema.compatibility":                texts(profile.Compatibilities()...),
		"Schema.status":                       texts(profile.SchemaStatuses()...),
		"SchemaVersion.status":                texts(profile.SchemaStatuses()...),
		"SchemaBreak.direction":               texts(profile.CompatibilityBackward, profile.CompatibilityForward),
		"RegisterSchemaRequest.compatibility": texts(profile.Compatibilities()...),

		"ProfileForecast.bump": {profile.BumpNone.String(), profile.Patch.String(), profile.Minor.String(), profile.Major.String()},

		"CommitStatus.state": texts(rollout.StatusPending, rollout.StatusSuccess, rollout.StatusFailure, rollout.StatusError),

		"User.role":             texts(userRoles()...),
		"UserRequest.role":      texts(userRoles()...),
		"UserChange.role":       texts(userRoles()...),
		"Identity.role":         texts(Roles()...),
		"Identity.kind":         {"user", "token"},
		"Identity.environments": places,
		"Token.role":            texts(Roles()...),
		"TokenRequest.role":     texts(Roles()...),

		"Token.environments":        places,
		"TokenRequest.environments": places,

		"Probe.status":     {"ok", "degraded", "stopping", "unavailable"},
		"ErrorDetail.code": allCodes(),
	}
}
