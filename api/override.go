package api

import (
	"net/http"
	"slices"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// checkDeployment judges what can be judged without the profile.
func checkDeployment(req wire.CreateDeploymentRequest) error {
	var wrong []wire.FieldError
	for field, value := range map[string]string{"configName": req.ConfigName, "configVersion": req.ConfigVersion} {
		if value == "" {
			wrong = append(wrong, wire.FieldError{Field: field, Message: "is required"})
		}
	}
	if req.Strategy != "" && !slices.Contains(profile.StrategyTypes(), profile.StrategyType(req.Strategy)) {
		wrong = append(wrong, wire.FieldError{Field: "strategy", Message: "is one of Canary, BlueGreen, Rolling, Direct"})
	}
	if len(wrong) > 0 {
		return invalid("the deployment cannot be made", wrong...)
	}
	return nil
}

// override takes another strategy, or other fields of it and of the health
// section, than the profile says.
func override(d *rollout.Deployment, req wire.CreateDeploymentRequest) error {
	if wanted := profile.StrategyType(req.Strategy); wanted != "" && wanted != d.Strategy.Type {
		d.Strategy = profile.DefaultStrategy(wanted)
	}
	var wrong []wire.FieldError
	if len(req.Config) > 0 {
		over, problems := profile.OverStrategy(d.Strategy, req.Config)
		d.Strategy, wrong = over, append(wrong, under("config", problems)...)
	}
	if len(req.HealthCheck) > 0 {
		over, problems := profile.OverHealth(d.Health, req.HealthCheck)
		d.Health, wrong = over, append(wrong, under("healthCheck", problems)...)
	}
	if len(wrong) > 0 {
		return invalid("the deployment cannot go so", wrong...)
	}
	return nil
}

// breakGlass goes past the rules for those who may, and say why.
func breakGlass(d *rollout.Deployment, req wire.CreateDeploymentRequest, by caller) error {
	if !req.Force {
		return nil
	}
	if by.role != Admin {
		return &problem{status: http.StatusForbidden, code: "FORBIDDEN", message: "force needs the role Admin"}
	}
	if req.Reason == "" {
		return invalidField("reason", "is required with force")
	}
	d.Force = req.Reason
	return nil
}
