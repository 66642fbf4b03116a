package client

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// TestNotification sends a sample to a target of the daemon's settings and says
// what that answered.
func (c *Client) TestNotification(ctx context.Context, target string) (wire.NotificationTest, error) {
	var out wire.NotificationTest
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("notifications", target, "test")}, &out)
	return out, err
}
