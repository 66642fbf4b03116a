package client

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api/wire"
)

// once is a write that the server makes once, however often it is sent: each has a key of its own, so
// that it may be sent again when no answer came.
func once(method, path string, body any, ifMatch string) call {
	k := call{method: method, path: path, body: body, again: true, header: http.Header{"Idempotency-Key": {uuid.NewString()}}}
	if ifMatch != "" {
		k.header.Set("If-Match", ifMatch)
	}
	return k
}

// CreateConfig makes a profile that the API manages, or brings a deleted one back.
func (c *Client) CreateConfig(ctx context.Context, req wire.CreateConfigRequest) (wire.Config, error) {
	var out wire.Config
	err := c.do(ctx, once(http.MethodPost, pathf("configs"), req, ""), &out)
	return out, err
}

// UpdateConfig changes the definition of a profile; what is left out of req stays as it is. A tag in
// ifMatch, as ConfigTag gives it, makes it fail with 412 when the profile is not so any more.
func (c *Client) UpdateConfig(ctx context.Context, name string, req wire.UpdateConfigRequest, ifMatch string) (wire.Config, error) {
	var out wire.Config
	err := c.do(ctx, once(http.MethodPut, pathf("configs", name), req, ifMatch), &out)
	return out, err
}

// DeleteConfig retires a profile that the API manages. What runs stays, and so does its history; one
// without versions is removed.
func (c *Client) DeleteConfig(ctx context.Context, name string) error {
	return c.do(ctx, once(http.MethodDelete, pathf("configs", name), nil, ""), nil)
}

// UploadVersion makes a version of a profile that the API manages. Nothing is deployed by it.
func (c *Client) UploadVersion(ctx context.Context, name string, req wire.UploadRequest) (wire.Version, error) {
	var out wire.Version
	err := c.do(ctx, once(http.MethodPost, pathf("configs", name, "versions"), req, ""), &out)
	return out, err
}

// PatchVersion changes the tags of a version and whether it is deprecated.
func (c *Client) PatchVersion(ctx context.Context, name, version string, req wire.VersionPatch) (wire.Version, error) {
	var out wire.Version
	err := c.do(ctx, once(http.MethodPatch, pathf("configs", name, "versions", version), req, ""), &out)
	return out, err
}

// DeleteVersion removes a version that nothing refers to.
func (c *Client) DeleteVersion(ctx context.Context, name, version string) error {
	return c.do(ctx, once(http.MethodDelete, pathf("configs", name, "versions", version), nil, ""), nil)
}

// ConfigTag returns a profile with the tag that UpdateConfig takes.
func (c *Client) ConfigTag(ctx context.Context, name string) (out wire.Config, tag string, err error) {
	header := http.Header{}
	err = c.do(ctx, call{method: http.MethodGet, path: pathf("configs", name), again: true, answered: header}, &out)
	return out, header.Get("ETag"), err
}
