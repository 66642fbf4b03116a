package api

import (
	"encoding/json"

	"github.com/sluicehq/sluice/api/wire"
)

const (
	tagService = "The service itself"
	tagPages   = "Pages"
)

func serviceOperations() map[string]operation {
	ready := operation{
		id: "ready", tag: tagService, summary: "Say whether requests can be served",
		text: "Names what is missing, and what works less well.",
		answers: []answer{
			gives(200, "Requests can be served.", wire.Probe{}),
			gives(503, "They cannot: the database does not answer, or the server is stopping.", wire.Probe{}),
		},
	}
	alias := ready
	alias.id, alias.summary = "health", "The same as /readyz"
	return map[string]operation{
		"GET //healthz": {
			id: "alive", tag: tagService, summary: "Say that the process lives",
			text:    "It asks no database.",
			answers: []answer{gives(200, "It lives.", wire.Probe{})},
		},
		"GET //readyz": ready,
		"GET //health": alias,
		"GET //metrics": {
			id: "metrics", tag: tagService, summary: "Metrics for Prometheus",
			answers: []answer{gives(200, "In the text format of Prometheus.", nil, "text/plain")},
		},
		"GET /logging": {
			id: "getLogging", tag: tagService, summary: "Say what is logged",
			answers: []answer{gives(200, "The levels in force, and who changed them.", wire.Logging{})},
		},
		"PUT /logging": {
			id: "setLogging", tag: tagService, summary: "Log other levels for some time",
			text:    "On every replica. It takes the place of what was set before, and ends by itself.",
			body:    wire.LoggingRequest{Components: map[string]string{"engine": "debug"}, ExpiresIn: "15m"},
			answers: []answer{gives(200, "In force.", wire.Logging{})},
		},
		"DELETE /logging": {
			id: "resetLogging", tag: tagService, summary: "Log what is configured again",
			answers: []answer{gives(200, "As configured.", wire.Logging{})},
			errors:  []int{404},
		},
		"GET //openapi.json": {
			id: "describe", tag: tagService, summary: "This document",
			query:   paramsOf(header("If-None-Match", "The ETag of the document that the caller has.")),
			answers: []answer{gives(200, "An OpenAPI 3.1 document.", json.RawMessage(nil)), gives(304, "It is as it was.", nil)},
		},
	}
}

func pageOperations() map[string]operation {
	return map[string]operation{
		"GET //docs": {
			id: "docsPage", tag: tagPages, summary: "This document as a page",
			query:   paramsOf(header("If-None-Match", "The ETag of the page that the browser has.")),
			answers: []answer{gives(200, "The page.", nil, "text/html"), gives(304, "It is as it was.", nil)},
		},
		"GET //assets/docs.css": {
			id: "docsStylesheet", tag: tagPages, summary: "The style of /docs",
			answers: []answer{gives(200, "A style sheet.", nil, "text/css")},
		},
	}
}
