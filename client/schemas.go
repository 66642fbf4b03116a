package client

import (
	"context"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// SchemaFilter narrows Schemas; empty fields do not.
type SchemaFilter struct {
	List
	SchemaID, Status string
}

// RegisterSchema adds a version of a schema: Draft, or PendingApproval when it breaks something.
func (c *Client) RegisterSchema(ctx context.Context, req wire.RegisterSchemaRequest) (wire.Schema, error) {
	return post[wire.Schema](ctx, c, pathf("schemas"), req)
}

// Schemas lists the versions of registered schemas, by id and the newest first.
func (c *Client) Schemas(ctx context.Context, f SchemaFilter) (wire.Page[wire.Schema], error) {
	return get[wire.Page[wire.Schema]](ctx, c, pathf("schemas"), f.query("schemaId", f.SchemaID, "status", f.Status))
}

// Schema returns one version of a schema, the newest when version is empty, with the list of all.
func (c *Client) Schema(ctx context.Context, id, version string) (wire.Schema, error) {
	return get[wire.Schema](ctx, c, pathf("schemas", id), List{}.query("version", version))
}

// ValidateData says whether data satisfies a schema. Nothing is stored.
func (c *Client) ValidateData(ctx context.Context, id string, req wire.ValidateDataRequest) (wire.ValidateDataResponse, error) {
	var out wire.ValidateDataResponse
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("schemas", id, "validate"), body: req, again: true}, &out)
	return out, err
}

// ApproveSchema lets Production be deployed to under a version of a schema. Approving twice changes nothing.
func (c *Client) ApproveSchema(ctx context.Context, id string, req wire.SchemaOrder) (wire.Schema, error) {
	return post[wire.Schema](ctx, c, pathf("schemas", id, "approve"), req)
}

// DeprecateSchema ends the use of a version of a schema. The reason is required.
func (c *Client) DeprecateSchema(ctx context.Context, id string, req wire.SchemaOrder) (wire.Schema, error) {
	return post[wire.Schema](ctx, c, pathf("schemas", id, "deprecate"), req)
}

// treeTimeout is how long a whole tree may be looked at.
const treeTimeout = 30 * time.Second

// ValidateFiles says what a pull request with the files would be told. Nothing is stored.
func (c *Client) ValidateFiles(ctx context.Context, req wire.ValidateRequest) (wire.ValidateResponse, error) {
	var out wire.ValidateResponse
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("validate"), body: req, again: true, timeout: treeTimeout}, &out)
	return out, err
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var out T
	err := c.do(ctx, once(http.MethodPost, path, body, ""), &out)
	return out, err
}
