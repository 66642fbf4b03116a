package openapi

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// Version is the OpenAPI Specification that documents follow.
const Version = "3.1.1"

// Schema is a JSON Schema of the dialect 2020-12, which OpenAPI 3.1 builds on.
type Schema = jsonschema.Schema

// Document is an OpenAPI document. Its operations are written below their paths.
type Document struct {
	Info       Info
	Tags       []Tag
	Operations []*Operation // in the order in which people should read them
	Components Components
}

// Info says what the document is of.
type Info struct {
	Title       string `json:"title"`
	Summary     string `json:"summary,omitempty"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Operation is one method of one path.
type Operation struct {
	Method string `json:"-"`
	Path   string `json:"-"` // with {parameters}

	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Parameters  []*Parameter          `json:"parameters,omitempty"`
	RequestBody *RequestBody          `json:"requestBody,omitempty"`
	Responses   map[string]*Response  `json:"responses"` // by status
	Security    []map[string][]string `json:"security"`  // none: open to everybody

	Roles     []string `json:"x-sluice-roles,omitempty"`
	PerMinute int      `json:"x-sluice-limit-per-minute,omitempty"`
	MaxBytes  int64    `json:"x-sluice-max-body-bytes,omitempty"`
}

// Answer is the response of a status, nil when there is none.
func (o *Operation) Answer(status int) *Response { return o.Responses[strconv.Itoa(status)] }

// Parameter is in the path, the query or a header.
type Parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"` // path, query or header
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema"`
}

// RequestBody is what an operation takes.
type RequestBody struct {
	Description string            `json:"description,omitempty"`
	Required    bool              `json:"required,omitempty"`
	Content     map[string]*Media `json:"content"` // by media type
}

// Response is one answer, or by Ref one of the components.
type Response struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Headers     map[string]*Header `json:"headers,omitempty"`
	Content     map[string]*Media  `json:"content,omitempty"` // by media type
}

// Media is a body of one media type.
type Media struct {
	Schema  *Schema `json:"schema"`
	Example any     `json:"example,omitempty"`
	// Events are the data of server-sent events, by the event's name.
	Events map[string]*Schema `json:"x-sluice-events,omitempty"`
}

// Header is a header of an answer, or by Ref one of the components.
type Header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Components are what operations refer to.
type Components struct {
	Schemas         map[string]*Schema        `json:"schemas"`
	Responses       map[string]*Response      `json:"responses,omitempty"`
	Headers         map[string]*Header        `json:"headers,omitempty"`
	SecuritySchemes map[string]SecurityScheme `json:"securitySchemes,omitempty"`
}

// SecurityScheme is a way to say who one is.
type SecurityScheme struct {
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
}

// MarshalJSON writes the document in the form of the specification.
func (d Document) MarshalJSON() ([]byte, error) {
	paths := map[string]map[string]*Operation{}
	for _, o := range d.Operations {
		if paths[o.Path] == nil {
			paths[o.Path] = map[string]*Operation{}
		}
		paths[o.Path][strings.ToLower(o.Method)] = o
	}
	return json.Marshal(struct {
		OpenAPI    string                           `json:"openapi"`
		Info       Info                             `json:"info"`
		Tags       []Tag                            `json:"tags"`
		Paths      map[string]map[string]*Operation `json:"paths"`
		Components Components                       `json:"components"`
	}{Version, d.Info, d.Tags, paths, d.Components})
}
