package client

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// Users lists the people who sign in, a page at a time.
func (c *Client) Users(ctx context.Context, l List) (wire.Page[wire.User], error) {
	return get[wire.Page[wire.User]](ctx, c, pathf("users"), l.query())
}

// CreateUser adds a user with a password.
func (c *Client) CreateUser(ctx context.Context, req wire.UserRequest) (wire.User, error) {
	var out wire.User
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("users"), body: req}, &out)
	return out, err
}

// ChangeUser changes what is given of a user, whose sessions end by it.
func (c *Client) ChangeUser(ctx context.Context, name string, change wire.UserChange) (wire.User, error) {
	var out wire.User
	err := c.do(ctx, call{method: http.MethodPut, path: pathf("users", name), body: change}, &out)
	return out, err
}

// RemoveUser removes a user, whose sessions end.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: pathf("users", name)}, nil)
}

// ChangePassword changes the password of the user whose session the client's token
// is of. That session ends; the answer is a new one.
func (c *Client) ChangePassword(ctx context.Context, current, next string) (wire.LoginResponse, error) {
	var out wire.LoginResponse
	err := c.do(ctx, call{method: http.MethodPut, path: pathf("authentication", "password"), body: wire.PasswordChange{Current: current, New: next}}, &out)
	return out, err
}

// ExchangeCode signs in with the code that a browser brought.
func (c *Client) ExchangeCode(ctx context.Context, code, verifier string) (wire.LoginResponse, error) {
	var out wire.LoginResponse
	err := c.do(ctx, call{method: http.MethodPost, path: pathf("authentication", "sso"), body: wire.CodeRequest{Code: code, Verifier: verifier}}, &out)
	return out, err
}

// Identity says who the client's token is.
func (c *Client) Identity(ctx context.Context) (wire.Identity, error) {
	return get[wire.Identity](ctx, c, pathf("authentication", "identity"), nil)
}

// Logout ends the session that the client's token is of.
func (c *Client) Logout(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodPost, path: pathf("authentication", "logout")}, nil)
}
