package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/api/openapi"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
)

// operation says what a door is for, and what goes in and out of it. Who may
// use it, how often and with how large a body is what its route says.
type operation struct {
	id, tag, summary, text string

	query    []*openapi.Parameter // and headers
	body     any                  // an example of what is sent, of the type that is read; nil for none
	form     bool                 // the body is that of an HTML form
	optional bool                 // the body may be left out
	lenient  bool                 // fields that are not known are left alone
	requires []string             // fields of the body that this operation needs and others do not
	answers  []answer
	errors   []int // beside those that every route with such guards has
}

// answer is one answer that is not an error.
type answer struct {
	status  int
	text    string
	body    any               // a value of the type that is written; nil for none
	others  []string          // media types of the same thing as text
	events  map[string]any    // of a stream, the data of each event
	headers map[string]string // that this answer has and others do not, with what they mean
}

func gives(status int, text string, body any, others ...string) answer {
	return answer{status: status, text: text, body: body, others: others}
}

// with is the same answer with a header.
func (a answer) with(name, text string) answer {
	a.headers = maps.Clone(a.headers)
	if a.headers == nil {
		a.headers = map[string]string{}
	}
	a.headers[name] = text
	return a
}

// tagged is the same answer with a tag of what was answered.
func (a answer) tagged() answer {
	return a.with(headerETag, "The tag of this state, for "+headerIfMatch+" and "+headerIfNoneMatch+".")
}

var unchanged = gives(http.StatusNotModified, "It is as it was.", nil).tagged()

// streams is a stream of server-sent events, with a value of each one's type.
func streams(events map[string]any) answer {
	events["reconnect"] = wire.Reconnect{}
	return answer{status: http.StatusOK, text: "The stream.", others: []string{"text/event-stream"}, events: events}
}

// operations are all, by "METHOD /path" below /api/v1, or "METHOD //path" outside it.
func operations() map[string]operation {
	all := map[string]operation{}
	for _, some := range []map[string]operation{
		signInOperations(), ssoOperations(), configOperations(), deploymentOperations(), freezeOperations(), instanceOperations(),
		sourceOperations(), schemaOperations(), auditOperations(), serviceOperations(), pageOperations(),
	} {
		maps.Copy(all, some)
	}
	return all
}

const below = "/api/v1"

// doorOf is the route's key among the operations.
func doorOf(r route) string {
	if path, inside := strings.CutPrefix(r.path, below); inside {
		return r.method + " " + path
	}
	return r.method + " /" + r.path
}

// describer makes operations of a document.
type describer struct {
	api     *API
	schemas *openapi.Schemas
}

// describe writes down what a route and its operation say.
func (d *describer) describe(r route, o operation) (*openapi.Operation, error) {
	out := &openapi.Operation{
		Method: r.method, Path: braced(r.path), ID: o.id, Tags: []string{o.tag}, Summary: o.summary, Description: o.text,
		Parameters: append(pathParameters(r.path), o.query...), Responses: map[string]*openapi.Response{},
		Security: []map[string][]string{}, Roles: d.api.rolesOf(r), PerMinute: r.perMinute,
	}
	if len(out.Roles) > 0 {
		out.Security = append(out.Security, map[string][]string{"bearer": {}})
		if !toInstances(out.Roles) {
			out.Security = append(out.Security, map[string][]string{"session": {}})
		}
	}
	if takesKey(r) && !toInstances(out.Roles) {
		out.Parameters = append(out.Parameters, header(headerKey, "A name for this request, such as a UUID: sent again under it, it is not carried out again, and answered as before."))
		o.errors = append(slices.Clone(o.errors), http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	if secretAnswers[r.method+" "+r.path] {
		out.Parameters = append(out.Parameters, header(headerKey, "Taken no notice of: of requests and answers with secrets, nothing is kept."))
	}
	for _, status := range failures(r, o, len(out.Roles) == 0) {
		out.Responses[strconv.Itoa(status)] = &openapi.Response{Ref: "#/components/responses/" + errorName(status)}
	}
	if err := d.describeBody(r, o, out); err != nil {
		return nil, err
	}
	for _, a := range o.answers {
		made, err := d.describeAnswer(r, a)
		if err != nil {
			return nil, err
		}
		out.Responses[strconv.Itoa(a.status)] = made
	}
	return out, nil
}

// toInstances says that nobody but instances may use a door, or everybody: such
// callers have no keys.
func toInstances(roles []string) bool {
	return len(roles) == 0 || slices.Equal(roles, []string{instanceRole})
}

func (d *describer) describeBody(r route, o operation, out *openapi.Operation) error {
	if o.body == nil {
		return nil
	}
	schema, err := d.schemas.Request(o.body, o.lenient || o.form)
	if err != nil {
		return err
	}
	schema.Required = append(schema.Required, o.requires...)
	kind := "application/json"
	media := &openapi.Media{Schema: schema, Example: o.body}
	if _, raw := o.body.(json.RawMessage); raw {
		media.Example = nil
	}
	if o.form {
		kind = "application/x-www-form-urlencoded"
	}
	out.RequestBody = &openapi.RequestBody{Required: !o.optional, Content: map[string]*openapi.Media{kind: media}}
	out.MaxBytes = max(r.body, 0)
	return nil
}

func (d *describer) describeAnswer(r route, a answer) (*openapi.Response, error) {
	out := &openapi.Response{Description: a.text, Headers: map[string]*openapi.Header{"X-Trace-Id": headerRef("X-Trace-Id")}}
	if r.perMinute > 0 {
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			out.Headers[name] = headerRef(name)
		}
	}
	for name, text := range a.headers {
		out.Headers[name] = &openapi.Header{Description: text, Schema: &openapi.Schema{Type: "string"}}
	}
	if takesKey(r) && len(out.Headers) > 0 && !toInstances(d.api.rolesOf(r)) {
		out.Headers[headerReplayed] = headerRef(headerReplayed)
	}
	if a.body == nil && len(a.others) == 0 {
		return out, nil
	}
	out.Content = map[string]*openapi.Media{}
	if a.body != nil {
		schema, err := d.schemas.Of(a.body)
		if err != nil {
			return nil, err
		}
		out.Content["application/json"] = &openapi.Media{Schema: schema}
	}
	for _, kind := range a.others {
		out.Content[kind] = &openapi.Media{Schema: &openapi.Schema{Type: "string"}}
	}
	for name, data := range a.events {
		schema, err := d.schemas.Of(data)
		if err != nil {
			return nil, err
		}
		media := out.Content["text/event-stream"]
		if media.Events == nil {
			media.Events = map[string]*openapi.Schema{}
		}
		media.Events[name] = schema
	}
	return out, nil
}

// failures are the errors that an operation may answer: its own, and those of
// its route's guards.
func failures(r route, o operation, toEverybody bool) []int {
	all := append([]int{http.StatusInternalServerError, http.StatusServiceUnavailable}, o.errors...)
	if !toEverybody {
		all = append(all, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(r.path, ":") {
		all = append(all, http.StatusNotFound)
	}
	if len(o.query) > 0 || o.body != nil {
		all = append(all, http.StatusBadRequest)
	}
	if o.body != nil {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	if r.perMinute > 0 {
		all = append(all, http.StatusTooManyRequests)
	}
	if !r.toInstances() {
		all = append(all, http.StatusMisdirectedRequest)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// instanceRole is what the document calls an instance with its own token.
const instanceRole = "Instance"

// rolesOf asks a route who may use it; nobody is named where everybody may.
func (a *API) rolesOf(r route) []string {
	c := a.echo.NewContext(httptest.NewRequest(http.MethodGet, "/", http.NoBody), httptest.NewRecorder())
	c.SetParamNames("id")
	c.SetParamValues("one")
	if r.who(nil, c) {
		return nil
	}
	var out []string
	for _, role := range Roles() {
		if r.who(&caller{role: role}, c) {
			out = append(out, string(role))
		}
	}
	if r.who(&caller{instance: &fleet.Instance{ID: "one"}}, c) {
		out = append(out, instanceRole)
	}
	return out
}

var colon = regexp.MustCompile(`:(\w+)`)

// braced is a path as OpenAPI writes it.
func braced(path string) string { return colon.ReplaceAllString(path, "{$1}") }
