package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// InstanceFilter narrows Instances; empty fields do not.
type InstanceFilter struct {
	List
	ServiceName, Environment, Health, ConfigVersion string
}

// Instances lists the registered instances.
func (c *Client) Instances(ctx context.Context, f InstanceFilter) (wire.Page[wire.Instance], error) {
	q := f.query("serviceName", f.ServiceName, "environment", f.Environment, "health", f.Health,
		"configVersion", f.ConfigVersion)
	return get[wire.Page[wire.Instance]](ctx, c, pathf("instances"), q)
}

// Instance returns one instance with its assignments.
func (c *Client) Instance(ctx context.Context, id string) (wire.Instance, error) {
	return get[wire.Instance](ctx, c, pathf("instances", id), nil)
}

// Register makes an instance. The client's token must allow it; the answer holds the instance's own.
func (c *Client) Register(ctx context.Context, req wire.RegisterRequest) (wire.RegisterResponse, error) {
	var out wire.RegisterResponse
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("instances"), body: req, timeout: 10 * time.Second}, &out)
	if err == nil && (out.ID == "" || out.Token == "") {
		err = errors.New("register: the answer holds no identity")
	}
	return out, err
}

// Heartbeat reports an instance's health. It is not tried again by itself, because it carries counts.
func (c *Client) Heartbeat(ctx context.Context, id string, h wire.Health) (wire.HeartbeatResponse, error) {
	var out wire.HeartbeatResponse
	k := call{method: http.MethodPost, path: pathf("instances", id, "heartbeat"),
		body: wire.HeartbeatRequest{Health: h}, timeout: 10 * time.Second}
	err := c.do(ctx, k, &out)
	return out, err
}

// Applied acknowledges an assignment, or says why it could not be applied.
func (c *Client) Applied(ctx context.Context, id string, ack wire.AppliedRequest) error {
	return c.applied(ctx, id, ack, true)
}

func (c *Client) applied(ctx context.Context, id string, ack wire.AppliedRequest, again bool) error {
	k := call{method: http.MethodPost, path: pathf("instances", id, "applied"), body: ack, again: again,
		timeout: 5 * time.Second}
	return c.do(ctx, k, nil)
}

// Deregister ends an instance.
func (c *Client) Deregister(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: pathf("instances", id), timeout: 5 * time.Second}, nil)
}

// AssignmentData fetches the data of an assignment that did not come inline, secrets opened. The result is not checked
// against a hash.
func (c *Client) AssignmentData(ctx context.Context, id string, a wire.Assignment) ([]byte, error) {
	data, _, err := c.assignmentData(ctx, id, a)
	return data, err
}

// assignmentData also returns the hash that comes with data whose secrets were opened; "" with other data.
func (c *Client) assignmentData(ctx context.Context, id string, a wire.Assignment) (data []byte, delivered string, err error) {
	path, err := c.dataPath(id, a)
	if err != nil {
		return nil, "", err
	}
	var out string
	header := http.Header{}
	k := call{method: http.MethodGet, path: path, again: true, answered: header}
	if err := c.do(ctx, k, &out); err != nil {
		return nil, "", err
	}
	return []byte(out), header.Get(wire.DeliveredHashHeader), nil
}

// dataPath takes only a path below the API of the same server, so that an answer cannot send the
// instance's token elsewhere.
func (c *Client) dataPath(id string, a wire.Assignment) (string, error) {
	if a.URL == "" {
		return pathf("instances", id, "configs", a.ConfigName, a.Hash, "data"), nil
	}
	path := strings.TrimPrefix(strings.TrimPrefix(a.URL, c.base.String()), c.base.Path)
	path, ok := strings.CutPrefix(path, apiPrefix+"/")
	climbs := slices.Contains(strings.Split(path, "/"), "..")
	if !ok || climbs || strings.ContainsAny(path, "?#\\ ") {
		return "", fmt.Errorf("data of %s: %q is no path of this server's API", a.ConfigName, a.URL)
	}
	return "/" + path, nil
}
