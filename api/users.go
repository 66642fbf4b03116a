package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// userRoles are the roles of people: instances register with a token.
func userRoles() []Role { return []Role{Viewer, Developer, Operator, Admin} }

// userName is what a user with a password is called. Whom a provider knows has a
// colon in the name: nobody gets to write into the audit log as the other kind.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$`)

// CheckUserName says what is wrong with a name for a user with a password.
func CheckUserName(name string) error {
	if !userName.MatchString(name) {
		return errors.New("has letters, digits, dots, dashes, underscores and @, begins with a letter or digit, and is of at most 100 characters")
	}
	if reserved(name) {
		return errors.New("is one that the server uses itself")
	}
	return nil
}

// reserved are the names under which the server itself writes into the audit log.
func reserved(name string) bool {
	return known([]string{rollout.Daemon, "gate", "deadline"}, strings.ToLower(name))
}

func wireUser(u store.User) wire.User {
	return wire.User{Username: u.Name, Role: u.Role, Issuer: u.Issuer, Subject: u.Subject, Disabled: u.Disabled, CreatedAt: maybe(u.CreatedAt)}
}

func (a *API) listUsers(c echo.Context) error {
	limit, offset, err := paging(c)
	if err != nil {
		return err
	}
	users, total, err := a.opts.Store.Users(c.Request().Context(), limit, offset)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(users, wireUser), total, limit, offset))
}

func (a *API) getUser(c echo.Context) error {
	return a.answerUser(c, http.StatusOK, c.Param("username"))
}

func (a *API) answerUser(c echo.Context, status int, name string) error {
	u, err := a.opts.Store.User(c.Request().Context(), name)
	if err != nil {
		return err
	}
	return c.JSON(status, wireUser(u))
}

func (a *API) createUser(c echo.Context) error {
	var req wire.UserRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := CheckUserName(req.Username); err != nil {
		return invalidField("username", err.Error())
	}
	if err := checkUserRole(req.Role); err != nil {
		return err
	}
	ctx := c.Request().Context()
	hash, err := a.hash(ctx, "password", req.Password)
	if err != nil {
		return err
	}
	err = a.opts.Store.AddUser(ctx, store.User{Name: req.Username, Role: req.Role, PasswordHash: hash}, who(c).name)
	if errors.Is(err, store.ErrExists) {
		return conflict("a user or a token has this name already")
	}
	if err != nil {
		return err
	}
	return a.answerUser(c, http.StatusCreated, req.Username)
}

func checkUserRole(role string) error {
	if !known(userRoles(), Role(role)) {
		return invalidField("role", "is one of Viewer, Developer, Operator, Admin")
	}
	return nil
}

// hash makes a password's hash when there is room for it.
func (a *API) hash(ctx context.Context, field, password string) (string, error) {
	var hash string
	var err error
	late := a.hashes(ctx, func() { hash, err = HashPassword(password) })
	switch {
	case errors.Is(err, ErrPassword):
		return "", invalidField(field, strings.TrimPrefix(err.Error(), "a password "))
	case late != nil:
		return "", late
	}
	return hash, err
}

// changeUser sets what is given. The sessions of the user end by it.
func (a *API) changeUser(c echo.Context) error {
	var req wire.UserChange
	if err := decode(c, &req); err != nil {
		return err
	}
	ctx, name := c.Request().Context(), c.Param("username")
	u, err := a.opts.Store.User(ctx, name)
	if err != nil {
		return err
	}
	if u.Issuer != "" && (req.Role != nil || req.Password != nil) {
		return conflict(fmt.Sprintf("%s is known by %s, which has the password and says the role; here the user can be disabled or removed", u.Name, u.Issuer))
	}
	change := store.UserChange{Role: req.Role, Disabled: req.Disabled, By: who(c).name}
	if req.Role != nil {
		if err := checkUserRole(*req.Role); err != nil {
			return err
		}
	}
	if req.Password != nil {
		hash, err := a.hash(ctx, "password", *req.Password)
		if err != nil {
			return err
		}
		change.PasswordHash = &hash
	}
	if err := lastAdmin(a.opts.Store.ChangeUser(ctx, name, change)); err != nil {
		return err
	}
	return a.answerUser(c, http.StatusOK, name)
}

func (a *API) removeUser(c echo.Context) error {
	if err := lastAdmin(a.opts.Store.RemoveUser(c.Request().Context(), c.Param("username"), who(c).name)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func lastAdmin(err error) error {
	if errors.Is(err, store.ErrLastAdmin) {
		return conflict(store.ErrLastAdmin.Error())
	}
	return err
}

func (a *API) changePassword(c echo.Context) error {
	var req wire.PasswordChange
	if err := decode(c, &req); err != nil {
		return err
	}
	out, err := a.newPassword(c, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// newPassword is for a user's own password. Every session of the user ends; the
// answer is a new one.
func (a *API) newPassword(c echo.Context, req wire.PasswordChange) (out wire.LoginResponse, err error) {
	if who(c).session == nil {
		return out, invalid("a token has no password: sign in as the user")
	}
	name := who(c).name
	err = a.admitted(c, wire.LoginRequest{Username: name, Password: req.Current}, func(c echo.Context, _ wire.LoginRequest) error {
		ctx := c.Request().Context()
		user, err := a.proved(c, name, req.Current)
		if refused, ok := errors.AsType[*problem](err); ok && refused.status == http.StatusUnauthorized {
			return invalidField("currentPassword", "is wrong")
		}
		if err != nil {
			return err
		}
		hash, err := a.hash(ctx, "newPassword", req.New)
		if err != nil {
			return err
		}
		if err := a.opts.Store.ChangeUser(ctx, name, store.UserChange{PasswordHash: &hash, By: name}); err != nil {
			return err
		}
		user.PasswordHash = hash
		out, err = a.beginSession(c, user)
		return err
	})
	return out, err
}
