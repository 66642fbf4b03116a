package client

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// Logging tells what the daemons log, by whom it was changed and until when.
func (c *Client) Logging(ctx context.Context) (wire.Logging, error) {
	return get[wire.Logging](ctx, c, pathf("logging"), nil)
}

// SetLogging makes every daemon log other levels for some time. What was set before ends by it.
func (c *Client) SetLogging(ctx context.Context, req wire.LoggingRequest) (wire.Logging, error) {
	var out wire.Logging
	err := c.do(ctx, call{method: http.MethodPut, path: pathf("logging"), body: req}, &out)
	return out, err
}

// ResetLogging goes back to what is configured; an error with status 404 says that nothing else is logged.
func (c *Client) ResetLogging(ctx context.Context) (wire.Logging, error) {
	var out wire.Logging
	err := c.do(ctx, call{method: http.MethodDelete, path: pathf("logging")}, &out)
	return out, err
}
