package api

import (
	"encoding/json"

	"github.com/sluicehq/sluice/api/wire"
)

const (
	tagSources = "Sources and statuses"
	tagAudit   = "Audit and notifications"
)

func sourceOperations() map[string]operation {
	return map[string]operation{
		"GET /sources": {
			id: "listSources", tag: tagSources, summary: "List sources",
			answers: []answer{gives(200, "All sources with their position and last error.", wire.Page[wire.Source]{})},
		},
		"POST /sources/:id/sync": {
			id: "syncSource", tag: tagSources, summary: "Look at a source now",
			answers: []answer{gives(202, "It is looked at; what comes of it is seen in its position.", nil)},
		},
		"GET /statuses/:commit": {
			id: "listStatuses", tag: tagSources, summary: "Show a commit's statuses",
			answers: []answer{gives(200, "The statuses as they should be, and as the forge took them.", wire.Page[wire.CommitStatus]{})},
			errors:  []int{400},
		},
		"POST //webhooks/:forge": {
			id: "receiveWebhook", tag: tagSources, summary: "Take a forge's webhook",
			text: "The body is signed as that forge signs; errors are one line of text. Limits are its own: by address and source. The same delivery twice acts once.",
			body: json.RawMessage(nil),
			answers: []answer{
				gives(202, "Taken.", nil, "text/plain"), gives(400, "Not what this forge sends.", nil, "text/plain"),
				gives(401, "Not signed with a secret of the settings.", nil, "text/plain"), gives(404, "There is no such webhook.", errorBody, "text/plain"),
				gives(408, "The body did not arrive in time.", nil, "text/plain"), gives(413, "Too large.", nil, "text/plain"),
				gives(415, "Not JSON, or encoded.", nil, "text/plain"), gives(429, "Too many.", nil, "text/plain"),
				gives(500, "Something went wrong inside.", nil, "text/plain"), gives(503, "It could not be kept; polling finds what it tells of.", nil, "text/plain"),
			},
		},
	}
}

func auditOperations() map[string]operation {
	return map[string]operation{
		"GET /audit": {
			id: "listAudit", tag: tagAudit, summary: "List audit events",
			text: "Who did what, newest first. format=csv or ndjson, or Accept: text/csv or application/x-ndjson, exports every event that the filters let through.",
			query: paged(
				textual("entityType", "Only those about a thing of this type."), textual("entityId", "Only those about this thing."),
				textual("user", "Only those of this user or token."), textual("eventType", "Only those of this type."),
				textual("search", "Only those with this text in what is listed above, in the details or the trace, in whatever case."),
				moment("since", "Only those from this time on."), moment("until", "Only those before this time."),
				oneOf("format", "What the answer is: a page of JSON, or every event as a file.", []string{"json", formatCSV, formatNDJSON}),
			),
			answers: []answer{gives(200, "A page of events, or all of them.", wire.Page[wire.AuditEvent]{}, "text/csv", "application/x-ndjson")},
		},
		"GET /audit/verify": {
			id: "verifyAudit", tag: tagAudit, summary: "Verify the audit log",
			text: "Follows the chain of hashes from the oldest event that is kept to the newest, as sluice audit verify does on the database itself. One at a time, and for 20 seconds: 503 says of a longer log how many events hold. " +
				"It is the server's own word on its database.",
			answers: []answer{gives(200, "Whether it holds, and the first place where it does not.", wire.AuditVerification{})},
		},
		"POST /notifications/:target/test": {
			id: "testNotification", tag: tagAudit, summary: "Send a sample notification",
			answers: []answer{gives(200, "What the target said to it.", wire.NotificationTest{})},
		},
	}
}
