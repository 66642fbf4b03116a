package client

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// Freeze tells whether rollouts are frozen, by whom and why.
func (c *Client) Freeze(ctx context.Context) (wire.Freeze, error) {
	return get[wire.Freeze](ctx, c, pathf("freeze"), nil)
}

// BeginFreeze freezes every profile: nothing starts and nothing goes further until it ends. Rollbacks
// go on. A freeze that is in force is replaced. The reason is required.
func (c *Client) BeginFreeze(ctx context.Context, req wire.FreezeRequest) (wire.Freeze, error) {
	var out wire.Freeze
	err := c.do(ctx, call{method: http.MethodPut, path: pathf("freeze"), body: req}, &out)
	return out, err
}

// EndFreeze ends the freeze in force. The reason is required; an error with status 404 says that there is none.
func (c *Client) EndFreeze(ctx context.Context, reason string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: pathf("freeze"), body: wire.ReasonRequest{Reason: reason}}, nil)
}
