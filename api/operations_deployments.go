package api

import (
	"github.com/sluicehq/sluice/api/openapi"
	"github.com/sluicehq/sluice/api/wire"
)

const tagDeployments = "Deployments"

func paramsOf(some ...*openapi.Parameter) []*openapi.Parameter { return some }

func deploymentOperations() map[string]operation {
	all := map[string]operation{
		"POST /deployments": {
			id: "createDeployment", tag: tagDeployments, summary: "Deploy a version",
			text: "Goes to every target of the profile, by the profile's strategy, unless the request says otherwise. 400 names instances that are " +
				"not there; 409 says what is on its way already, on hold or retired.",
			body:    wire.CreateDeploymentRequest{ConfigName: exampleName, ConfigVersion: "1.4.0", Reason: "raise the timeout"},
			answers: []answer{gives(201, "Begun.", wire.Deployment{})},
			errors:  []int{404, 409, 422},
		},
		"GET /deployments": {
			id: "listDeployments", tag: tagDeployments, summary: "List deployments",
			query: paged(
				textual("configName", "Only those of this profile."),
				oneOf("status", "Only those in this state.", states),
				oneOf("environment", "Only those in this environment.", environments),
				textual("commit", "Only those of this commit, or of the one that begins so."),
			),
			answers: []answer{gives(200, "A page of deployments, newest first.", wire.Page[wire.Deployment]{})},
		},
		"GET /deployments/:id": {
			id: "getDeployment", tag: tagDeployments, summary: "Show a deployment",
			answers: []answer{gives(200, "The deployment with its instances and the gate's last verdict.", wire.Deployment{})},
		},
		"GET /deployments/:id/health": {
			id: "getDeploymentHealth", tag: tagDeployments, summary: "Show what the gate saw",
			answers: []answer{gives(200, "The verdict, the last 100 checks with their numbers, and every instance.", wire.DeploymentHealth{})},
		},
		"GET /deployments/:id/report": {
			id: "getDeploymentReport", tag: tagDeployments, summary: "Report on a deployment",
			query:   paramsOf(oneOf("format", "In place of the header Accept.", []string{"json", "markdown"})),
			answers: []answer{gives(200, "What changed, the gate's numbers, who had the version, and the time line.", wire.Report{}, "text/markdown")},
		},
		"GET /deployments/:id/events": {
			id: "followDeployment", tag: tagDeployments, summary: "Follow a deployment",
			text: "Server-sent events until the deployment ends, or the token does. Each event deployment has a Deployment as data and its revision as id; " +
				"reconnect asks to connect again after afterMillis. A caller follows 20 deployments at once.",
			query:   paramsOf(header("Last-Event-ID", "The revision seen last: it is not sent again.")),
			answers: []answer{streams(map[string]any{"deployment": wire.Deployment{}})},
			errors:  []int{429},
		},
		"POST /deployments/:id/promote": {
			id: "promoteDeployment", tag: tagDeployments, summary: "End a phase's wait",
			text: "The present phase, or all that are left; with phase, 409 when the deployment is in another one.",
			body: wire.PromoteRequest{Reason: "checked by hand"}, optional: true,
			answers: []answer{gives(200, "The deployment.", wire.Deployment{})},
			errors:  []int{409},
		},
		"POST /deployments/:id/retry": {
			id: "retryDeployment", tag: tagDeployments, summary: "Try an ended deployment again",
			text:    "One that is Failed, RolledBack, Superseded or Cancelled, as the profile says now. A hold that refuses its content ends.",
			body:    wire.RetryRequest{Reason: "the outage was elsewhere"},
			answers: []answer{gives(201, "The new deployment.", wire.Deployment{})},
			errors:  []int{409, 422},
		},
	}
	for _, order := range []struct{ verb, summary, text string }{
		{"pause", "Pause a deployment", "Its position is held; the gate still judges."},
		{"resume", "Resume a deployment", "One that is Paused goes on."},
		{"cancel", "Cancel a deployment", "Before it started it just ends; afterwards it is taken back."},
	} {
		all["POST /deployments/:id/"+order.verb] = operation{
			id: order.verb + "Deployment", tag: tagDeployments, summary: order.summary,
			text: order.text + " 409 in a state that does not allow it, naming those that do.",
			body: wire.ReasonRequest{Reason: "looks odd"}, optional: true,
			answers: []answer{gives(200, "The deployment.", wire.Deployment{})},
			errors:  []int{409},
		}
	}
	all["GET /deployments/:id/rollback"] = operation{
		id: "previewDeploymentRollback", tag: tagDeployments, summary: "What a rollback would do now",
		text:    "Found by the same decisions as the rollback itself, and refused where it would be. Nothing is stored.",
		answers: []answer{gives(200, "What would happen.", wire.RollbackPreview{})},
		errors:  []int{409},
	}
	all["POST /deployments/:id/rollback"] = operation{
		id: "rollbackDeployment", tag: tagDeployments, summary: "Roll a deployment back",
		text: "One that is active goes back to the version before it; a completed or failed one is taken back by a new one, while what it brought still " +
			"runs: 409 says what runs instead.",
		body: wire.ReasonRequest{Reason: "payments fail since 12:03"}, requires: []string{"reason"},
		answers: []answer{gives(200, "The deployment that takes it back.", wire.Deployment{})},
		errors:  []int{409},
	}
	return all
}
