package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluicehq/sluice/api/openapi"
)

// pathTexts say what the parameters of paths are.
var pathTexts = map[string]string{
	"name":     "The name of a profile, such as payment-service.production.",
	"version":  "A version's number, such as 1.4.0.",
	"other":    "The number of the version to compare with.",
	"hash":     "The hash of the data: SHA-256 in hex.",
	"commit":   "The SHA of a commit, or at least its first 7 digits.",
	"target":   "The name of a target of the settings' notifications.",
	"forge":    "Who sends: github, gitea, forgejo, gitlab or generic.",
	"id":       "The id.",
	"username": "The name of a user.",
}

func pathParameters(path string) []*openapi.Parameter {
	var out []*openapi.Parameter
	for _, found := range colon.FindAllStringSubmatch(path, -1) {
		name := found[1]
		out = append(out, &openapi.Parameter{
			Name: name, In: "path", Required: true, Description: cmp.Or(pathTexts[name], "The "+name+"."), Schema: &openapi.Schema{Type: "string"},
		})
	}
	return out
}

func queried(name, text string, schema *openapi.Schema) *openapi.Parameter {
	return &openapi.Parameter{Name: name, In: "query", Description: text, Schema: schema}
}

func textual(name, text string) *openapi.Parameter {
	return queried(name, text, &openapi.Schema{Type: "string"})
}

func oneOf[T ~string](name, text string, values []T) *openapi.Parameter {
	return queried(name, text, &openapi.Schema{Type: "string", Enum: openapi.Values(values)})
}

func whether(name, text string) *openapi.Parameter {
	return queried(name, text, &openapi.Schema{Type: "boolean"})
}

func moment(name, text string) *openapi.Parameter {
	return queried(name, text, &openapi.Schema{Type: "string", Format: "date-time"})
}

func header(name, text string) *openapi.Parameter {
	return &openapi.Parameter{Name: name, In: "header", Description: text, Schema: &openapi.Schema{Type: "string"}}
}

// seen is what a write makes a condition of.
func seen() *openapi.Parameter {
	return header(headerIfMatch, "The ETag of what the caller saw: 412 when it is another one now.")
}

func unlessSeen() *openapi.Parameter {
	return header(headerIfNoneMatch, "The ETag of what the caller has: 304 while it is that.")
}

func isNew() *openapi.Parameter {
	return header(headerIfNoneMatch, "*: 412 instead of 409 when it is there already.")
}

// paged are the filters of a list, and which page of it is wanted.
func paged(filters ...*openapi.Parameter) []*openapi.Parameter {
	number := func(name, text string, least, otherwise int) *openapi.Parameter {
		from := float64(least)
		return queried(name, text, &openapi.Schema{Type: "integer", Minimum: &from, Default: json.RawMessage(strconv.Itoa(otherwise))})
	}
	return append(filters,
		number("limit", fmt.Sprintf("How many items a page has, at most %d.", maxLimit), 0, defaultLimit),
		number("offset", "How many items to leave out: nextOffset of the page before.", 0, 0))
}
