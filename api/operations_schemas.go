package api

import (
	"encoding/json"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

const tagSchemas = "Schemas"

var exampleSchema = json.RawMessage(`{"type":"object","required":["timeout"],"properties":{"timeout":{"type":"string","format":"duration"},"maxRetries":{"type":"integer","minimum":0,"maximum":5}}}`)

func schemaOperations() map[string]operation {
	return map[string]operation{
		"POST /schemas": {
			id: "registerSchema", tag: tagSchemas, summary: "Register a version of a schema",
			text: "It is compared with the newest Approved version, or else the newest, and with the newest data of every profile that names it. " +
				"It is Draft, or PendingApproval when it breaks the compatibility asked for or promised before.",
			body:     wire.RegisterSchemaRequest{SchemaID: "payment-config.v1", Version: "1.0.0", Compatibility: "Backward", SchemaDefinition: exampleSchema},
			requires: []string{"schemaId", "schemaDefinition"},
			answers:  []answer{gives(201, "The version, with what it breaks.", wire.Schema{})}, errors: []int{409},
		},
		"GET /schemas": {
			id: "listSchemas", tag: tagSchemas, summary: "List the versions of schemas",
			text:    "Those that were registered, by id and the newest first, without their definitions. Schemas of Git are files there.",
			query:   paged(oneOf("status", "Only those with this status.", profile.SchemaStatuses()), textual("schemaId", "Only those of this schema.")),
			answers: []answer{gives(200, "A page of versions.", wire.Page[wire.Schema]{})},
		},
		"GET /schemas/:id": {
			id: "getSchema", tag: tagSchemas, summary: "Show a schema",
			query:   paramsOf(textual("version", "This version instead of the newest.")),
			answers: []answer{gives(200, "The version, and the list of all.", wire.Schema{})},
		},
		"POST /schemas/:id/validate": {
			id: "validateData", tag: tagSchemas, summary: "Check data by a schema",
			text:     "By the newest Approved version, or else the newest, or the one that is named. Nothing is stored.",
			body:     wire.ValidateDataRequest{ConfigData: json.RawMessage(`{"timeout":"30s","maxRetries":3}`)},
			requires: []string{"configData"},
			answers:  []answer{gives(200, "Whether it is valid, and what is wrong.", wire.ValidateDataResponse{})},
		},
		"POST /validate": {
			id: "validateFiles", tag: tagSources, summary: "Check files as a pull request would be checked",
			text:    "A whole tree, or one file as path and content, against what the source has. Nothing is stored. At most 2,000 files of 1 MiB, 8 MiB together.",
			body:    wire.ValidateRequest{Path: "payment-service/production.yaml", Content: "apiVersion: sluice/v1\n"},
			answers: []answer{gives(200, "What is wrong, and what would become of each profile.", wire.ValidateResponse{})}, errors: []int{404},
		},
		"POST /schemas/:id/approve": {
			id: "approveSchema", tag: tagSchemas, summary: "Approve a version of a schema",
			text: "Production deploys only against Approved. Nothing that runs is touched: the answer lists the profiles whose newest version does not " +
				"satisfy it. Approving twice changes nothing. For a schema of Git that breaks what it declared, it lets the deployments start that wait for that.",
			body: wire.SchemaOrder{Version: "1.0.0", Reason: "reviewed"}, optional: true,
			answers: []answer{gives(200, "The version.", wire.Schema{})}, errors: []int{409},
		},
		"POST /schemas/:id/deprecate": {
			id: "deprecateSchema", tag: tagSchemas, summary: "Deprecate a version of a schema",
			text: "Its end: it cannot be approved again. Nothing that runs is touched.",
			body: wire.SchemaOrder{Version: "1.0.0", Reason: "replaced by 2.0.0"}, requires: []string{"reason"},
			answers: []answer{gives(200, "The version.", wire.Schema{})},
		},
	}
}
