package api

import (
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

const (
	tagConfigs  = "Profiles"
	tagVersions = "Versions"
)

const exampleName = "payment-service.production"

func configOperations() map[string]operation {
	return map[string]operation{
		"GET /configs": {
			id: "listConfigs", tag: tagConfigs, summary: "List profiles",
			query: paged(
				oneOf("environment", "Only those of this environment.", profile.Environments()),
				oneOf("serviceType", "Only those of services of this type.", profile.ServiceTypes()),
				textual("source", "Only those of this source."),
				trueOrFalse("held", "Only those on hold, or only those that are not."),
			),
			answers: []answer{gives(200, "A page of profiles, by name.", wire.Page[wire.Config]{})},
		},
		"GET /configs/:name": {
			id: "getConfig", tag: tagConfigs, summary: "Show a profile",
			answers: []answer{gives(200, "The profile with its current and desired version, and its hold.", wire.Config{})},
		},
		"PUT /configs/:name": {
			id: "updateConfig", tag: tagConfigs, summary: "Change a profile",
			text:   "A profile that Git manages is changed in Git.",
			errors: []int{409, 413},
		},
		"DELETE /configs/:name": {
			id: "deleteConfig", tag: tagConfigs, summary: "Delete a profile",
			text:   "A profile that Git manages is deleted in Git.",
			errors: []int{409, 413},
		},
		"GET /configs/:name/rollback": {
			id: "previewConfigRollback", tag: tagConfigs, summary: "What a rollback would do now",
			text:    "Found by the same decisions as the rollback itself, and refused where it would be. Nothing is stored.",
			query:   paramsOf(textual("toVersion", "The version to go to; by default the last that completed before the current one.")),
			answers: []answer{gives(200, "What would happen.", wire.RollbackPreview{})},
			errors:  []int{409},
		},
		"POST /configs/:name/rollback": {
			id: "rollbackConfig", tag: tagConfigs, summary: "Roll a profile back",
			text: "The emergency door. It acts at once and waits for nothing but the database: no gate, window, schema, Git or Redis. An active " +
				"deployment goes back to the version before it; otherwise the last version that completed before the current one, or toVersion. " +
				"The profile is on hold afterwards. Asked again, it is the same rollback.",
			body: wire.ReasonRequest{Reason: "payments fail since 12:03"}, requires: []string{"reason"},
			answers: []answer{gives(200, "The deployment that takes it back.", wire.Deployment{})},
			errors:  []int{409},
		},
		"POST /configs/:name/release": {
			id: "releaseConfig", tag: tagConfigs, summary: "End a profile's hold",
			text: "What the profile's origin says is deployed again, unless it runs.",
			body: wire.ReasonRequest{Reason: "fixed by 1.4.1"}, optional: true,
			answers: []answer{gives(200, "The profile without its hold.", wire.Config{})},
			errors:  []int{409},
		},
		"POST /configs/:name/versions": {
			id: "createVersion", tag: tagVersions, summary: "Upload a version",
			text:   "The versions of a profile that Git manages are made by commits.",
			errors: []int{409, 413},
		},
		"GET /configs/:name/versions": {
			id: "listVersions", tag: tagVersions, summary: "List a profile's versions",
			query:   paged(textual("tags", "Only those with this tag.")),
			answers: []answer{gives(200, "A page of versions without their data, newest first.", wire.Page[wire.Version]{})},
		},
		"GET /configs/:name/versions/:version": {
			id: "getVersion", tag: tagVersions, summary: "Show a version",
			answers: []answer{gives(200, "The version with its data, in which secrets are ***.", wire.Version{})},
		},
		"GET /configs/:name/versions/:version/diff/:other": {
			id: "diffVersions", tag: tagVersions, summary: "Compare two versions",
			text: "Accept: text/plain gives a unified diff.",
			answers: []answer{
				gives(200, "What the other version has that this one has not, and the other way round; secrets are ***.", wire.DiffResponse{}, "text/plain"),
			},
		},
	}
}
