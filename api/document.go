package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/openapi"
	"github.com/sluicehq/sluice/api/web"
	"github.com/sluicehq/sluice/api/wire"
)

var documentTags = []openapi.Tag{
	{Name: tagConfigs, Description: "The configuration of one service in one environment, and what holds it where it is."},
	{Name: tagVersions, Description: "Immutable snapshots of a profile's data."},
	{Name: tagDeployments, Description: "The way of a version to the instances, phase by phase, and the orders that people give."},
	{Name: tagSchemas, Description: "What a profile's data must satisfy, version by version."},
	{Name: tagFreeze, Description: "One switch for all profiles."},
	{Name: tagInstances, Description: "The processes that run what is deployed."},
	{Name: tagInstance, Description: "What the agent and the client in a service call, with the instance's own token."},
	{Name: tagSources, Description: "The Git repositories that are watched, and what their commits are told."},
	{Name: tagAudit, Description: "Who did what, and who is told."},
	{Name: tagSignIn, Description: "People sign in; tools have named tokens."},
	{Name: tagService, Description: "Probes, metrics and this document."},
	{Name: tagPages, Description: "What browsers show, beside the dashboard itself."},
}

const documentText = "Times are RFC 3339 in UTC. Durations are ISO 8601 (PT5M) in answers; requests may write 5m too. What is not known is left out and never null. " +
	"Fields may be added to answers at any time; a request with a field that is not known is refused. " +
	"Every answer says its trace id (X-Trace-Id), and how much of the caller's limit is left (X-RateLimit-*). " +
	"Every request but streams, long polls and exports is answered within 5 seconds."

// document describes the API by its routes, their operations and the types of
// their bodies.
func (a *API) document() (*openapi.Document, error) {
	comments, err := openapi.ReadComments(wire.Sources)
	if err != nil {
		return nil, err
	}
	d := &describer{api: a, schemas: openapi.NewSchemas(comments, fieldTexts, enumerations())}
	out := &openapi.Document{
		Info: openapi.Info{Title: "Sluice", Summary: "GitOps for application configuration", Description: documentText, Version: "1"},
		Tags: documentTags,
	}
	all := operations()
	for _, r := range a.doors() {
		o, ok := all[doorOf(r)]
		if !ok {
			continue // a page, or a test says so
		}
		made, err := d.describe(r, o)
		if err != nil {
			return nil, err
		}
		out.Operations = append(out.Operations, made)
	}
	place := func(o *openapi.Operation) int {
		return slices.IndexFunc(documentTags, func(tag openapi.Tag) bool { return tag.Name == o.Tags[0] })
	}
	slices.SortStableFunc(out.Operations, func(one, other *openapi.Operation) int { return place(one) - place(other) })
	problem, err := d.schemas.Of(errorBody)
	if err != nil {
		return nil, err
	}
	out.Components = openapi.Components{
		Schemas: d.schemas.Components(), Responses: errorResponses(problem), Headers: commonHeaders(),
		SecuritySchemes: map[string]openapi.SecurityScheme{
			"bearer":  {Type: "http", Scheme: "bearer", Description: "A token of a person, a tool or an instance."},
			"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "The session of a browser: it reads, and writes from pages of this server."},
		},
	}
	return out, nil
}

// described is the document as it is sent.
type described struct {
	json, page []byte
	tag        string
}

func (a *API) describeOnce() (*described, error) {
	document, err := a.document()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		return nil, err
	}
	page, err := web.Docs(document)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append(text, page...))
	return &described{json: text, page: page, tag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
}

// fresh says that the caller has what is there now.
func (d *described) fresh(c echo.Context) bool {
	h := c.Response().Header()
	h.Set("ETag", d.tag)
	h.Set("Cache-Control", "max-age=300")
	return strings.TrimPrefix(c.Request().Header.Get("If-None-Match"), "W/") == d.tag
}

func (a *API) openAPI(c echo.Context) error {
	d, err := a.described()
	if err != nil {
		return err
	}
	if d.fresh(c) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, d.json)
}

func (a *API) docsPage(c echo.Context) error {
	d, err := a.described()
	if err != nil {
		return err
	}
	// A browser that has the page takes the policy from the answer that says so.
	c.Response().Header().Set("Content-Security-Policy", pagePolicy)
	if d.fresh(c) {
		return c.NoContent(http.StatusNotModified)
	}
	return html(c, http.StatusOK, d.page)
}

func (a *API) docsStyle(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "max-age=300")
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", []byte(web.DocsStyle))
}
