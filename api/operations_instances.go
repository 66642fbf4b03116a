package api

import (
	"encoding/json"

	"github.com/sluicehq/sluice/api/wire"
)

const (
	tagInstances = "Instances"
	tagInstance  = "What instances call"
)

func instanceOperations() map[string]operation {
	rate := 0.4
	return map[string]operation{
		"GET /instances": {
			id: "listInstances", tag: tagInstances, summary: "List instances",
			query: paged(
				textual("serviceName", "Only those of this service."),
				oneOf("environment", "Only those in this environment.", environments),
				oneOf("health", "Only those that report this health.", healths),
				textual("configVersion", "Only those that run this version."),
				textual("search", "Only those with this text in the host's name, in whatever case."),
			),
			answers: []answer{gives(200, "A page of instances with what they run.", wire.Page[wire.Instance]{})},
		},
		"GET /instances/:id": {
			id: "getInstance", tag: tagInstances, summary: "Show an instance",
			answers: []answer{gives(200, "The instance with what it runs.", wire.Instance{})},
		},
		"DELETE /instances/:id": {
			id: "deregisterInstance", tag: tagInstances, summary: "Remove an instance",
			text:    "Its token opens nothing any more, and no deployment waits for it.",
			answers: []answer{gives(204, "Removed.", nil)},
		},
		"POST /instances": {
			id: "registerInstance", tag: tagInstance, summary: "Register an instance",
			text:    "Gives the instance its id and a token of its own, which is shown once. A Registration token may do this 40 times as often as the limit says, per address.",
			body:    wire.RegisterRequest{ServiceName: "payment-service", Hostname: "pay-1", Port: 8080, Environment: "Production", Version: "7.1.0"},
			lenient: true,
			answers: []answer{gives(201, "Registered.", wire.RegisterResponse{})},
		},
		"POST /instances/:id/heartbeat": {
			id: "heartbeat", tag: tagInstance, summary: "Say how an instance does",
			body: wire.HeartbeatRequest{Health: wire.Health{Status: "Healthy", ErrorRate: &rate}}, lenient: true, optional: true,
			answers: []answer{gives(200, "What is assigned, without data, and when to beat next.", wire.HeartbeatResponse{})},
		},
		"POST /instances/:id/applied": {
			id: "acknowledge", tag: tagInstance, summary: "Say how an assignment was applied",
			body:    wire.AppliedRequest{ConfigName: exampleName, Version: "1.4.0", Hash: exampleHash, Generation: 12, OK: true, DurationMs: 40},
			lenient: true,
			answers: []answer{gives(204, "Noted.", nil)},
			errors:  []int{409},
		},
		"GET /instances/:id/watch": {
			id: "watchAssignments", tag: tagInstance, summary: "Follow what to run",
			text: "Server-sent events. Each event assignments has the whole of what to run as data, at once and at each change; reconnect asks to connect " +
				"again after afterMillis. The newest four streams of an instance are served.",
			answers: []answer{streams(map[string]any{"assignments": wire.Assignments{}})},
		},
		"GET /instances/:id/configs": {
			id: "pollAssignments", tag: tagInstance, summary: "Ask what to run",
			text: "The long poll for those whose proxies do not pass streams on.",
			query: paramsOf(
				header("If-None-Match", "The ETag of what the instance has: 304 while that is what to run."),
				header("Prefer", "wait=50 waits up to 50 seconds for something new, at most 55."),
			),
			answers: []answer{
				gives(200, "What to run.", wire.Assignments{}),
				gives(304, "Nothing new.", nil),
			},
		},
		"GET /instances/:id/configs/:name/:hash/data": {
			id: "getAssignedData", tag: tagInstance, summary: "Fetch assigned data",
			text:    "The data of what is assigned to the instance now, its secrets opened. 409 when one of them cannot be opened.",
			answers: []answer{gives(200, "The data.", json.RawMessage{})},
			errors:  []int{409},
		},
	}
}

const exampleHash = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
