package client

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// DeploymentFilter narrows Deployments; empty fields do not.
type DeploymentFilter struct {
	List
	ConfigName, Status, Environment, Commit string
}

// Deployments lists deployments, newest first.
func (c *Client) Deployments(ctx context.Context, f DeploymentFilter) (wire.Page[wire.Deployment], error) {
	q := f.query("configName", f.ConfigName, "status", f.Status, "environment", f.Environment, "commit", f.Commit)
	return get[wire.Page[wire.Deployment]](ctx, c, pathf("deployments"), q)
}

// Deployment returns one deployment with the state of its instances.
func (c *Client) Deployment(ctx context.Context, id string) (wire.Deployment, error) {
	return get[wire.Deployment](ctx, c, pathf("deployments", id), nil)
}

// DeploymentHealth returns the last gate checks of a deployment with their numbers.
func (c *Client) DeploymentHealth(ctx context.Context, id string) (wire.DeploymentHealth, error) {
	return get[wire.DeploymentHealth](ctx, c, pathf("deployments", id, "health"), nil)
}

// CreateDeployment starts the rollout of an existing version.
func (c *Client) CreateDeployment(ctx context.Context, req wire.CreateDeploymentRequest) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("deployments"), body: req}, &out)
	return out, err
}

// PauseDeployment holds a deployment where it is; its gate goes on judging.
func (c *Client) PauseDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "pause", reason)
}

// ResumeDeployment lets a paused deployment go on.
func (c *Client) ResumeDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "resume", reason)
}

// PromoteDeployment lets a deployment that waits for a person take its next step.
func (c *Client) PromoteDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "promote", reason)
}

// CancelDeployment ends a deployment.
func (c *Client) CancelDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "cancel", reason)
}

// RollbackDeployment takes a deployment back, a completed one too. The reason is required.
func (c *Client) RollbackDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "rollback", reason)
}

func (c *Client) order(ctx context.Context, id, verb, reason string) (wire.Deployment, error) {
	var out wire.Deployment
	k := call{method: http.MethodPost, path: pathf("deployments", id, verb), body: wire.ReasonRequest{Reason: reason}}
	err := c.do(ctx, k, &out)
	return out, err
}
