package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	_ "embed" // the page and its style

	"github.com/sluicehq/sluice/api/openapi"
)

// DocsStyle is the style sheet of the page that Docs writes, on top of that of
// the dashboard.
//
//go:embed docs.css
var DocsStyle string

//go:embed docs.html
var docsHTML string

var docs = sync.OnceValue(func() *template.Template { return template.Must(template.New("docs").Parse(docsHTML)) })

// Docs writes an API's description as a page that needs no script and nothing
// from elsewhere. All of it is there at once, for a browser's search and for
// paper.
func Docs(d *openapi.Document) ([]byte, error) {
	page := docsPage{Info: d.Info, Build: build}
	for _, tag := range d.Tags {
		group := docsGroup{Tag: tag, Anchor: anchor(tag.Name)}
		for _, o := range d.Operations {
			if !slices.Contains(o.Tags, tag.Name) {
				continue
			}
			one, err := operationOf(o, d.Components)
			if err != nil {
				return nil, err
			}
			group.Operations = append(group.Operations, one)
		}
		if len(group.Operations) > 0 {
			page.Groups = append(page.Groups, group)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		page.Schemas = append(page.Schemas, docsSchema{Name: name, Text: s.Description, Fields: fieldsOf(s)})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Responses)) {
		r := d.Components.Responses[name]
		page.Errors = append(page.Errors, docsError{Name: name, Text: r.Description, Codes: codesOf(r)})
	}
	var b bytes.Buffer
	if err := docs().Execute(&b, page); err != nil {
		return nil, fmt.Errorf("page of the API's description: %w", err)
	}
	return b.Bytes(), nil
}

type docsPage struct {
	Build   string // of the dashboard's style
	Info    openapi.Info
	Groups  []docsGroup
	Schemas []docsSchema
	Errors  []docsError
}

type docsGroup struct {
	Tag        openapi.Tag
	Anchor     string
	Operations []docsOperation
}

type docsOperation struct {
	*openapi.Operation
	Body    []docsType
	Fields  []docsField
	Curl    string
	Answers []docsAnswer
	Errors  []docsFailure
}

// docsType is a type in words; Link is the schema within them.
type docsType struct{ Before, Link string }

type docsField struct {
	Name     string
	Where    string // of a parameter
	Required bool
	Type     []docsType
	Text     string
	Values   []string
	Default  string
}

type docsSchema struct {
	Name, Text string
	Fields     []docsField
}

type docsAnswer struct {
	Status, Text string
	Bodies       []docsBody
}

type docsBody struct {
	Media string
	Type  []docsType
}

type docsFailure struct{ Status, Name string }

type docsError struct {
	Name, Text string
	Codes      []string
}

func anchor(name string) string {
	return "tag-" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
}

func operationOf(o *openapi.Operation, c openapi.Components) (docsOperation, error) {
	out := docsOperation{Operation: o}
	for _, p := range o.Parameters {
		field := fieldOf(p.Name, p.Schema, p.Required)
		field.Where, field.Text = p.In, p.Description
		out.Fields = append(out.Fields, field)
	}
	if o.RequestBody != nil {
		for _, media := range o.RequestBody.Content {
			out.Body = typeOf(media.Schema)
			inner := c.Schemas[openapi.Component(media.Schema)]
			if inner == nil {
				continue
			}
			for _, field := range fieldsOf(inner) {
				field.Where = "body"
				out.Fields = append(out.Fields, field)
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		r := o.Responses[status]
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			out.Errors = append(out.Errors, docsFailure{Status: status, Name: name})
			continue
		}
		out.Answers = append(out.Answers, docsAnswer{Status: status, Text: r.Description, Bodies: bodiesOf(r)})
	}
	var err error
	out.Curl, err = curl(o)
	return out, err
}

func bodiesOf(r *openapi.Response) (out []docsBody) {
	for _, media := range slices.Sorted(maps.Keys(r.Content)) {
		one := docsBody{Media: media}
		if m := r.Content[media]; media == "application/json" {
			one.Type = typeOf(m.Schema)
		} else {
			for _, name := range slices.Sorted(maps.Keys(m.Events)) {
				for _, t := range typeOf(m.Events[name]) {
					one.Type = append(one.Type, docsType{Before: name + ": " + t.Before, Link: t.Link})
				}
			}
		}
		out = append(out, one)
	}
	return out
}

func codesOf(r *openapi.Response) (out []string) {
	for _, media := range r.Content {
		if e := media.Schema.Properties["error"]; e != nil && e.Properties["code"] != nil {
			out = append(out, valuesOf(e.Properties["code"])...)
		}
	}
	return out
}

// fieldsOf are a schema's properties in the order in which they are written.
func fieldsOf(s *openapi.Schema) (out []docsField) {
	names := slices.Clone(s.PropertyOrder)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		out = append(out, fieldOf(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	return out
}

func fieldOf(name string, s *openapi.Schema, required bool) docsField {
	return docsField{
		Name: name, Required: required, Type: typeOf(s), Text: s.Description, Values: valuesOf(s), Default: string(s.Default),
	}
}

func valuesOf(s *openapi.Schema) (out []string) {
	if s.Items != nil {
		s = s.Items
	}
	for _, value := range s.Enum {
		out = append(out, fmt.Sprint(value))
	}
	return out
}

// typeOf is a schema's type in words. More than one means one of them.
func typeOf(s *openapi.Schema) []docsType {
	if len(s.AnyOf) > 0 {
		var out []docsType
		for _, one := range s.AnyOf {
			out = append(out, typeOf(one)...)
		}
		return out
	}
	within := func(before string, inner *openapi.Schema) []docsType {
		out := typeOf(inner)
		for i := range out {
			out[i].Before = before + out[i].Before
		}
		return out
	}
	switch {
	case openapi.Component(s) != "":
		return []docsType{{Link: openapi.Component(s)}}
	case s.Items != nil:
		return within("list of ", s.Items)
	case s.Type == "object" && s.AdditionalProperties != nil:
		return within("map of ", s.AdditionalProperties)
	case s.Format == "date-time":
		return []docsType{{Before: "time"}}
	case s.ContentEncoding != "":
		return []docsType{{Before: s.ContentEncoding}}
	case s.Type == "":
		return []docsType{{Before: "any JSON"}}
	}
	return []docsType{{Before: s.Type}}
}

// shellName has the values that examples have in paths; what is not there is a
// variable of the shell.
var shellName = map[string]string{"name": "payment-service.production", "version": "1.4.0", "other": "1.5.0", "commit": "4f53cda", "forge": "github"}

// curl is the operation as a command; "" for those that browsers are for.
func curl(o *openapi.Operation) (string, error) {
	path := o.Path
	for _, p := range o.Parameters {
		if p.In != "path" {
			continue
		}
		value, ok := shellName[p.Name]
		if !ok {
			value = "$" + strings.ToUpper(p.Name)
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
	}
	words := []string{"curl"}
	if r := o.Answer(http.StatusOK); r != nil && r.Content["text/event-stream"] != nil {
		words[0] += " -N"
	}
	if o.Method != http.MethodGet {
		words[0] += " -X " + o.Method
	}
	words[0] += ` "$SLUICE` + path + `"`
	if len(o.Security) > 0 {
		words = append(words, `-H "Authorization: Bearer $TOKEN"`)
	}
	if o.RequestBody != nil {
		media := o.RequestBody.Content["application/json"]
		if media == nil {
			return "", nil
		}
		if media.Example == nil {
			words = append(words, `--data-binary @body.json`)
		} else {
			body, err := json.Marshal(media.Example)
			if err != nil {
				return "", fmt.Errorf("example of %s: %w", o.ID, err)
			}
			words = append(words, `-d '`+strings.ReplaceAll(string(body), `'`, `'\''`)+`'`)
		}
	}
	return strings.Join(words, " \\\n  "), nil
}
