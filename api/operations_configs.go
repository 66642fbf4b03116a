package api

import (
	"encoding/json"

	"github.com/sluicehq/sluice/api/wire"
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
				oneOf("environment", "Only those of this environment.", environments),
				oneOf("serviceType", "Only those of services of this type.", serviceTypes),
				textual("source", "Only those of this source."),
				whether("held", "Only those on hold, or only those that are not."),
				whether("retired", "Only those that are retired, or only those that are not."),
			),
			answers: []answer{gives(200, "A page of profiles, by name.", wire.Page[wire.Config]{})},
		},
		"GET /configs/:name": {
			id: "getConfig", tag: tagConfigs, summary: "Show a profile",
			query:   paramsOf(unlessSeen()),
			answers: []answer{gives(200, "The profile with its current and desired version, and its hold.", wire.Config{}).tagged(), unchanged},
		},
		"POST /configs": {
			id: "createConfig", tag: tagConfigs, summary: "Create a profile",
			text: "One that the API manages. A retired one comes back with its versions, when it is for the same service and environment. 404 when its schema is not registered.",
			body: wire.CreateConfigRequest{
				Name: exampleName, Environment: "Production", SchemaID: "payment-config.v1",
				DefaultStrategy: json.RawMessage(`{"type":"Canary","steps":[10,50,100],"phaseInterval":"5m"}`),
			},
			answers: []answer{gives(201, "Created.", wire.Config{}).tagged().with("Location", "The profile's path.")},
			query:   paramsOf(isNew()),
			errors:  []int{404, 409, 412},
		},
		"PUT /configs/:name": {
			id: "updateConfig", tag: tagConfigs, summary: "Change a profile",
			text: "What is left out stays. Name, service, environment and schema cannot change. A profile that Git manages is changed in Git.",
			body: wire.UpdateConfigRequest{
				DefaultStrategy: json.RawMessage(`{"type":"Rolling","batchSize":"25%"}`), Settings: json.RawMessage(`{"slackChannel":"#payments"}`),
			},
			answers: []answer{gives(200, "The profile as it is now.", wire.Config{}).tagged()},
			query:   paramsOf(seen()),
			errors:  []int{409, 412},
		},
		"DELETE /configs/:name": {
			id: "deleteConfig", tag: tagConfigs, summary: "Delete a profile",
			text: "It is retired: what runs goes on, and its history stays. 409 while a deployment is active. A profile of which nothing was ever made is removed. " +
				"A profile that Git manages is deleted in Git.",
			answers: []answer{gives(204, "Retired, or removed.", nil)},
			query:   paramsOf(seen()),
			errors:  []int{409, 412},
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
			text: "Nothing is deployed by it. 404 also when the profile's schema is not registered any more. The versions of a profile that Git manages are made by commits.",
			body: wire.UploadRequest{
				Version: "1.4.0", ConfigData: json.RawMessage(`{"timeout":"30s","maxRetries":3}`), Description: "raise the timeout", Tags: []string{"stable"},
			},
			answers: []answer{gives(201, "The version, without its data.", wire.Version{}).tagged().with("Location", "The version's path.")},
			query:   paramsOf(seen(), isNew()),
			errors:  []int{409, 412, 422},
		},
		"PATCH /configs/:name/versions/:version": {
			id: "patchVersion", tag: tagVersions, summary: "Change a version's tags, or deprecate it",
			text:    "Its data never changes.",
			body:    wire.VersionPatch{Tags: &[]string{"stable", "q3"}},
			answers: []answer{gives(200, "The version, without its data.", wire.Version{}).tagged()},
			query:   paramsOf(seen()),
			errors:  []int{409, 412},
		},
		"DELETE /configs/:name/versions/:version": {
			id: "deleteVersion", tag: tagVersions, summary: "Delete a version",
			text:    "409 while it is deployed, held, or tagged stable.",
			answers: []answer{gives(204, "Deleted.", nil)},
			query:   paramsOf(seen()),
			errors:  []int{409, 412},
		},
		"GET /configs/:name/versions": {
			id: "listVersions", tag: tagVersions, summary: "List a profile's versions",
			query:   paged(textual("tags", "Only those with this tag; with all of them when commas divide several.")),
			answers: []answer{gives(200, "A page of versions without their data, newest first.", wire.Page[wire.Version]{})},
		},
		"GET /configs/:name/versions/:version": {
			id: "getVersion", tag: tagVersions, summary: "Show a version",
			query:   paramsOf(unlessSeen()),
			answers: []answer{gives(200, "The version with its data, in which secrets are ***.", wire.Version{}).tagged(), unchanged},
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
