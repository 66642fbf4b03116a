package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/api/openapi"
	"github.com/sluicehq/sluice/api/wire"
)

// errorCodes are the codes of each status that is an error.
var errorCodes = map[int][]string{
	http.StatusBadRequest:            {"VALIDATION_ERROR"},
	http.StatusUnauthorized:          {"UNAUTHORIZED"},
	http.StatusForbidden:             {"FORBIDDEN"},
	http.StatusNotFound:              {"NOT_FOUND"},
	http.StatusConflict:              {"CONFLICT", "MANAGED_BY_GIT"},
	http.StatusPreconditionFailed:    {"PRECONDITION_FAILED"},
	http.StatusRequestEntityTooLarge: {"PAYLOAD_TOO_LARGE"},
	http.StatusMisdirectedRequest:    {"MISDIRECTED"},
	http.StatusUnprocessableEntity:   {"SCHEMA_VALIDATION_ERROR", "IDEMPOTENCY_KEY_REUSED"},
	http.StatusTooManyRequests:       {"RATE_LIMIT_EXCEEDED"},
	http.StatusInternalServerError:   {"INTERNAL_ERROR"},
	http.StatusServiceUnavailable:    {"SERVICE_UNAVAILABLE"},
}

var errorTexts = map[int]string{
	http.StatusBadRequest:            "The request was understood and refused; details name the fields.",
	http.StatusUnauthorized:          "A valid bearer token is needed.",
	http.StatusForbidden:             "The token's role or scope does not allow this.",
	http.StatusNotFound:              "There is no such thing, or the token's scope does not have it.",
	http.StatusConflict:              "It does not fit what is; the message says what is, and what would fit.",
	http.StatusRequestEntityTooLarge: "The body is larger than this operation reads.",
	http.StatusPreconditionFailed:    "It is not as If-Match says, or there where If-None-Match says that it must not be.",
	http.StatusMisdirectedRequest:    "This replica serves instances alone; the message says where to ask.",
	http.StatusUnprocessableEntity:   "The data does not satisfy its schema, and details name the fields; or the Idempotency-Key was used for another request.",
	http.StatusTooManyRequests:       "The caller's limit is used up; Retry-After says when to ask again.",
	http.StatusInternalServerError:   "Something went wrong inside; the log has more under the trace id.",
	http.StatusServiceUnavailable:    "The database does not answer, or the server is stopping; Retry-After says when to ask again. A write may have been done.",
}

// errorName is the component of an error's answer.
func errorName(status int) string { return strings.ReplaceAll(http.StatusText(status), " ", "") }

// errorResponses are the components of all errors: one body, whose code is one of the status.
func errorResponses(body *openapi.Schema) map[string]*openapi.Response {
	out := map[string]*openapi.Response{}
	for status, codes := range errorCodes {
		one := body.CloneSchemas()
		one.Properties = map[string]*openapi.Schema{
			"error": {Properties: map[string]*openapi.Schema{"code": {Enum: openapi.Values(codes)}}},
		}
		headers := map[string]*openapi.Header{"X-Trace-Id": headerRef("X-Trace-Id")}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			headers["Retry-After"] = headerRef("Retry-After")
		}
		out[errorName(status)] = &openapi.Response{
			Description: errorTexts[status], Headers: headers,
			Content: map[string]*openapi.Media{"application/json": {Schema: one}},
		}
	}
	return out
}

func allCodes() (out []string) {
	for _, status := range slices.Sorted(maps.Keys(errorCodes)) {
		out = append(out, errorCodes[status]...)
	}
	return out
}

func headerRef(name string) *openapi.Header {
	return &openapi.Header{Ref: "#/components/headers/" + name}
}

func commonHeaders() map[string]*openapi.Header {
	number := func(text string) *openapi.Header {
		return &openapi.Header{Description: text, Schema: &openapi.Schema{Type: "integer"}}
	}
	return map[string]*openapi.Header{
		"X-Trace-Id":            {Description: "The trace of the request, as the server's log has it.", Schema: &openapi.Schema{Type: "string"}},
		"X-RateLimit-Limit":     number("How many such requests the caller may make in a minute."),
		"X-RateLimit-Remaining": number("How many of them are left."),
		"X-RateLimit-Reset":     number("When all are there again, in Unix seconds."),
		"Retry-After":           number("In how many seconds to ask again."),
		headerReplayed:          {Description: "true: the answer that was given before to the request with this Idempotency-Key.", Schema: &openapi.Schema{Type: "string"}},
	}
}

// errorBody is the type of every error.
var errorBody = wire.Error{}
