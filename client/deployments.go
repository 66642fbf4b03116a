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

// DeploymentReport tells what a deployment did: what changed, which metric
// showed it, which instances had it, and when what happened.
func (c *Client) DeploymentReport(ctx context.Context, id string) (wire.Report, error) {
	return get[wire.Report](ctx, c, pathf("deployments", id, "report"), nil)
}

// CreateDeployment starts the rollout of an existing version.
func (c *Client) CreateDeployment(ctx context.Context, req wire.CreateDeploymentRequest) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, once(http.MethodPost, pathf("deployments"), req, ""), &out)
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
	return c.Promote(ctx, id, wire.PromoteRequest{Reason: reason})
}

// Promote ends the wait of a deployment's present phase, or of every one that is left. It is refused
// when the request names another phase than the present one.
func (c *Client) Promote(ctx context.Context, id string, req wire.PromoteRequest) (wire.Deployment, error) {
	return c.act(ctx, id, "promote", req)
}

// RetryDeployment tries again what an ended deployment brought, the way its profile says now, and ends a
// hold that refuses it. The reason is required; force needs the role Admin.
func (c *Client) RetryDeployment(ctx context.Context, id string, req wire.RetryRequest) (wire.Deployment, error) {
	return c.act(ctx, id, "retry", req)
}

// CancelDeployment ends a deployment.
func (c *Client) CancelDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "cancel", reason)
}

// RollbackDeployment takes a deployment back, a completed one too. The reason is required.
func (c *Client) RollbackDeployment(ctx context.Context, id, reason string) (wire.Deployment, error) {
	return c.order(ctx, id, "rollback", reason)
}

// PreviewRollback says what RollbackDeployment would do now.
func (c *Client) PreviewRollback(ctx context.Context, id string) (wire.RollbackPreview, error) {
	return get[wire.RollbackPreview](ctx, c, pathf("deployments", id, "rollback"), nil)
}

func (c *Client) order(ctx context.Context, id, verb, reason string) (wire.Deployment, error) {
	return c.act(ctx, id, verb, wire.ReasonRequest{Reason: reason})
}

func (c *Client) act(ctx context.Context, id, verb string, body any) (wire.Deployment, error) {
	var out wire.Deployment
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("deployments", id, verb), body: body}, &out)
	return out, err
}
