package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/openapi"
)

var update = flag.Bool("update", false, "write the description of the API into docs/openapi.json")

// Every route says what it is for, and nothing is described that there is not.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	doors, operations := api.DoorsAndOperations(newWorld(t).api)
	for _, door := range doors {
		if !slices.Contains(operations, door) {
			t.Errorf("%s has no operation: add one to the api/operations_*.go of its subject", door)
		}
	}
	for _, key := range operations {
		if !slices.Contains(doors, key) {
			t.Errorf("the operation %s has no route", key)
		}
	}
}

// documentOf is the description of a new API.
func documentOf(t *testing.T) (*openapi.Document, []byte) {
	t.Helper()
	document, err := api.DocumentOf(newWorld(t).api)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return document, append(text, '\n')
}

// The description is an OpenAPI document of version 3.1, by the schema that the
// OpenAPI Initiative publishes for them.
func TestDescriptionIsOpenAPI(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join("testdata", "openapi-3.1.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	meta := parsed(t, file)
	if err := c.AddResource("https://spec.openapis.org/oas/3.1/schema/2022-10-07", meta); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://spec.openapis.org/oas/3.1/schema/2022-10-07")
	if err != nil {
		t.Fatal(err)
	}
	_, text := documentOf(t)
	if err := schema.Validate(parsed(t, text)); err != nil {
		t.Error(err)
	}
	for _, broken := range []string{`"openapi": "3.1.1"`, `"title": "Sluice"`, `"in": "path"`, `"description": "Begun."`} {
		if other := strings.Replace(string(text), broken, `"x": "y"`, 1); schema.Validate(parsed(t, []byte(other))) == nil {
			t.Errorf("the schema says nothing of a document without %s", broken)
		}
	}
}

func parsed(t *testing.T, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// What is kept in docs/ is what the server says: clients are generated from it,
// and a change of the API is seen in review.
func TestKeptDescription(t *testing.T) {
	t.Parallel()
	_, text := documentOf(t)
	kept := filepath.Join("..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(kept, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, text) {
		t.Error("docs/openapi.json is not what the server says; look at the change with: go test ./api -run TestKeptDescription -update && git diff docs/openapi.json")
	}
}

func TestOperationsAreWhole(t *testing.T) {
	t.Parallel()
	document, text := documentOf(t)
	ids, tags := map[string]bool{}, []string{}
	for _, tag := range document.Tags {
		tags = append(tags, tag.Name)
	}
	for _, o := range document.Operations {
		name := o.Method + " " + o.Path
		if ids[o.ID] || o.ID == "" || o.Summary == "" || strings.HasSuffix(o.Summary, ".") {
			t.Errorf("%s: id %q, summary %q", name, o.ID, o.Summary)
		}
		ids[o.ID] = true
		if !slices.Contains(tags, o.Tags[0]) {
			t.Errorf("%s: there is no tag %s", name, o.Tags[0])
		}
		good := false
		for status := range o.Responses {
			good = good || status < "4"
		}
		if !good && !strings.Contains(o.Description, "Git") {
			t.Errorf("%s: nothing but errors", name)
		}
		if len(o.Security) > 0 != (len(o.Roles) > 0) {
			t.Errorf("%s: for %v, secured by %v", name, o.Roles, o.Security)
		}
	}
	if got := len(document.Operations); got != len(ids) || got < 40 {
		t.Errorf("%d operations with %d ids", got, len(ids))
	}
	if bytes.Contains(text, []byte("null")) && bytes.Contains(text, []byte(`"null"`)) {
		t.Error("something may be null: leave out what is not known")
	}
}

// Every type and field says what it means; no text is there for nothing.
func TestFieldsAreDescribed(t *testing.T) {
	t.Parallel()
	document, _ := documentOf(t)
	used := map[string]bool{}
	for name, schema := range document.Components.Schemas {
		if schema.Description == "" {
			t.Errorf("%s says not what it is: give its type in api/wire a comment", name)
		}
		for field, property := range schema.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s says not what it means: give its field in api/wire a comment, with its unit", name, field)
			}
			used[field], used[name+"."+field] = true, true
		}
	}
	for key, values := range api.Enumerations() {
		if !used[key] {
			t.Errorf("there is no field %s to have the values %v", key, values)
		}
	}
	for key := range api.FieldTexts {
		if !used[key] {
			t.Errorf("there is no field %s to describe", key)
		}
	}
}

// The examples of requests are such requests.
func TestExamplesFit(t *testing.T) {
	t.Parallel()
	document, text := documentOf(t)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://sluice.invalid/openapi.json", parsed(t, text)); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, o := range document.Operations {
		if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil || o.RequestBody.Content["application/json"].Example == nil {
			continue
		}
		path := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(o.Path)
		schema, err := c.Compile("https://sluice.invalid/openapi.json#/paths/" + path + "/" + strings.ToLower(o.Method) + "/requestBody/content/application~1json/schema")
		if err != nil {
			t.Fatal(err)
		}
		example, err := json.Marshal(o.RequestBody.Content["application/json"].Example)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(parsed(t, example)); err != nil {
			t.Errorf("%s: %s: %v", o.ID, example, err)
		}
		checked++
	}
	if checked < 10 {
		t.Errorf("%d examples", checked)
	}
}

func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, kind := range map[string]string{"//openapi.json": "application/json", "//docs": "text/html; charset=UTF-8"} {
		got := w.want(w.call("", "GET", path, nil), 200)
		tag := got.header.Get("ETag")
		if got.header.Get("Content-Type") != kind || tag == "" || got.header.Get("Cache-Control") != "max-age=300" {
			t.Errorf("%s: headers %v", path, got.header)
		}
		w.want(w.call("", "GET", path, nil, "If-None-Match", tag), 304)
		w.want(w.call("", "GET", path, nil, "If-None-Match", "W/"+tag), 304) // by a proxy that compresses
		w.want(w.call("", "GET", path, nil, "If-None-Match", `"other"`), 200)
	}
}

var (
	anchors = regexp.MustCompile(` id="([^"]+)"`)
	links   = regexp.MustCompile(` (?:href|src|action)="([^"]*)"`)
)

// The page has everything, leads nowhere else, and runs nothing.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	document, err := api.DocumentOf(w.api)
	w.must(err)
	got := w.want(w.call("", "GET", "//docs", nil), 200)
	page := string(got.body)
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || strings.Contains(page, "<script") || strings.Contains(page, " style=") {
		t.Errorf("the page may do too much: %s", policy)
	}
	ids := map[string]bool{}
	for _, found := range anchors.FindAllStringSubmatch(page, -1) {
		if ids[found[1]] {
			t.Errorf("two things are called %s", found[1])
		}
		ids[found[1]] = true
	}
	for _, o := range document.Operations {
		if !ids[o.ID] || !strings.Contains(page, "<code>"+o.Path+"</code>") {
			t.Errorf("the page has no %s %s", o.Method, o.Path)
		}
	}
	for name := range document.Components.Schemas {
		if !ids["schema-"+name] {
			t.Errorf("the page has no schema %s", name)
		}
	}
	for _, found := range links.FindAllStringSubmatch(page, -1) {
		to, within := strings.CutPrefix(found[1], "#")
		if within && !ids[to] {
			t.Errorf("a link to #%s leads nowhere", to)
		}
		if !within {
			w.want(w.call("", "GET", "/"+to, nil), 200)
		}
	}
	if want := `curl -X POST &#34;$SLUICE/api/v1/deployments/$ID/pause&#34;`; !strings.Contains(page, want) {
		t.Errorf("the page has no example %s", want)
	}
}
