// Package contract holds requests and answers against an OpenAPI document, for
// the tests of the server and of its client. It is stricter than the document:
// a field that the document does not name is a fault.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document, and what of it was seen in use.
type Document struct {
	operations []*Operation
	root       map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
	used     map[*Operation]bool
	broken   []string
}

// Operation is one method of one path.
type Operation struct {
	Method, Path string
	ID           string
	Tag          string
	segments     []string
	pointer      string // where it is in the document
	says         map[string]any
}

// String is the operation as a request line.
func (o *Operation) String() string { return o.Method + " " + o.Path }

const at = "https://sluice.invalid/openapi.json"

// Load reads a document.
func Load(text []byte) (*Document, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	root, _ := parsed.(map[string]any)
	d := &Document{root: root, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}, used: map[*Operation]bool{}}
	for _, one := range child(root, "components", "schemas") {
		if schema, ok := one.(map[string]any); ok && schema["properties"] != nil && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(at, root); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	paths := child(root, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, says := range child(paths, path) {
			o := &Operation{
				Method: strings.ToUpper(method), Path: path, segments: strings.Split(path, "/"),
				pointer: "/paths/" + escaped(path) + "/" + method, says: says.(map[string]any),
			}
			o.ID, _ = o.says["operationId"].(string)
			if tags, _ := o.says["tags"].([]any); len(tags) > 0 {
				o.Tag, _ = tags[0].(string)
			}
			d.operations = append(d.operations, o)
		}
	}
	return d, nil
}

// child goes down into objects; nil where there is none.
func child(of map[string]any, names ...string) map[string]any {
	for _, name := range names {
		of, _ = of[name].(map[string]any)
	}
	return of
}

func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// Operations are all that the document has.
func (d *Document) Operations() []*Operation { return d.operations }

// Find is the operation that a request means, nil for none. Of two paths that
// fit, the one with fewer parameters is meant.
func (d *Document) Find(method, escapedPath string) *Operation {
	var found *Operation
	fewest := 0
	segments := strings.Split(escapedPath, "/")
	for _, o := range d.operations {
		if n, ok := o.fits(segments); ok && o.Method == method && (found == nil || n < fewest) {
			found, fewest = o, n
		}
	}
	return found
}

func (o *Operation) fits(segments []string) (parameters int, ok bool) {
	if len(segments) != len(o.segments) {
		return 0, false
	}
	for i, one := range o.segments {
		switch {
		case strings.HasPrefix(one, "{"):
			parameters++
		case one != segments[i]:
			return 0, false
		}
	}
	return parameters, true
}

// schema compiles what is at a pointer of the document.
func (d *Document) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.compiled[pointer]; found != nil {
		return found, nil
	}
	made, err := d.compiler.Compile(at + "#" + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D"))
	if err != nil {
		return nil, fmt.Errorf("contract: %s: %w", pointer, err)
	}
	d.compiled[pointer] = made
	return made, nil
}

func (d *Document) fits(pointer string, text []byte) error {
	schema, err := d.schema(pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// speaking are the headers of requests that change what an operation does.
var speaking = []string{"If-Match", "If-None-Match", "Idempotency-Key", "Prefer", "Last-Event-ID"}

// CheckRequest says what of a request the operation does not describe.
func (d *Document) CheckRequest(o *Operation, r *http.Request, body []byte) error {
	known := map[string]string{} // in and name to pointer
	parameters, _ := o.says["parameters"].([]any)
	for i, one := range parameters {
		p, _ := one.(map[string]any)
		known[fmt.Sprint(p["in"], " ", p["name"])] = o.pointer + "/parameters/" + strconv.Itoa(i) + "/schema"
	}
	for name, values := range r.URL.Query() {
		pointer, ok := known["query "+name]
		if !ok {
			return fmt.Errorf("%s: the query parameter %s is not described", o, name)
		}
		for _, value := range values {
			if err := d.fitsText(pointer, value); err != nil {
				return fmt.Errorf("%s: %s=%s: %w", o, name, value, err)
			}
		}
	}
	for _, name := range speaking {
		if _, ok := known["header "+name]; r.Header.Get(name) != "" && !ok {
			return fmt.Errorf("%s: the header %s is not described", o, name)
		}
	}
	return d.checkBody(o, r.Header.Get("Content-Type"), body)
}

func (d *Document) checkBody(o *Operation, contentType string, body []byte) error {
	says := child(o.says, "requestBody")
	required, _ := says["required"].(bool)
	switch {
	case len(bytes.TrimSpace(body)) == 0 && required:
		return fmt.Errorf("%s: the body is required and was left out", o)
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	case says == nil:
		return fmt.Errorf("%s: a body is not described", o)
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "application/json" // the server takes any body for JSON
	}
	if child(says, "content", kind) == nil {
		return fmt.Errorf("%s: a body of the type %s is not described", o, kind)
	}
	if kind != "application/json" {
		return nil
	}
	if err := d.fits(o.pointer+"/requestBody/content/"+escaped(kind)+"/schema", body); err != nil {
		return fmt.Errorf("%s: body %s: %w", o, body, err)
	}
	return nil
}

// fitsText checks a parameter, which is text whatever its type is.
func (d *Document) fitsText(pointer, value string) error {
	quoted, err := json.Marshal(value)
	if err != nil {
		return err
	}
	asText := d.fits(pointer, quoted)
	if asText == nil {
		return nil
	}
	if json.Valid([]byte(value)) && d.fits(pointer, []byte(value)) == nil {
		return nil
	}
	return asText
}

// CheckAnswer says what of an answer the operation does not describe. Only
// bodies of JSON are looked into.
func (d *Document) CheckAnswer(o *Operation, status int, header http.Header, body []byte) error {
	pointer := o.pointer + "/responses/" + strconv.Itoa(status)
	says := child(o.says, "responses", strconv.Itoa(status))
	if says == nil {
		return fmt.Errorf("%s: the answer %d is not described", o, status)
	}
	if ref, ok := says["$ref"].(string); ok {
		pointer = strings.TrimPrefix(ref, "#")
		says = child(d.root, strings.Split(strings.TrimPrefix(pointer, "/"), "/")...)
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	content := child(says, "content")
	switch {
	case err != nil && len(content) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("%s: the answer %d has no content type", o, status)
	case child(content, kind) == nil:
		return fmt.Errorf("%s: the answer %d of the type %s is not described", o, status, kind)
	case kind != "application/json":
		return nil
	}
	if err := d.fits(pointer+"/content/"+escaped(kind)+"/schema", body); err != nil {
		return fmt.Errorf("%s: the answer %d, %s: %w", o, status, body, err)
	}
	return nil
}

// checkEvent checks the data of a server-sent event.
func (d *Document) checkEvent(o *Operation, name string, data []byte) error {
	stream := o.pointer + "/responses/200/content/text~1event-stream/x-sluice-events/" + escaped(name)
	if err := d.fits(stream, data); err != nil {
		return fmt.Errorf("%s: event %s, %s: %w", o, name, data, err)
	}
	return nil
}

// use notes that an operation did what it is for.
func (d *Document) use(o *Operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used[o] = true
}

func (d *Document) fault(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = append(d.broken, err.Error())
}

// Faults are what events did not fit.
func (d *Document) Faults() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, text := range slices.Compact(slices.Sorted(slices.Values(d.broken))) {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

// Unused are the operations that never did what they are for, those apart that
// the document says cannot.
func (d *Document) Unused() (out []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.operations {
		can := false
		for status := range child(o.says, "responses") {
			can = can || status < "4"
		}
		if can && !d.used[o] {
			out = append(out, o.String())
		}
	}
	return out
}
