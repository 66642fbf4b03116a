package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

const (
	sessionLife      = 12 * time.Hour
	loginsPerAccount = 10 // a minute, from wherever
	maxHashing       = 4  // passwords checked at once: each takes 19 MiB
)

// nobodysHash is verified against when there is no such user, so that an
// answer's time does not tell names.
var nobodysHash = sync.OnceValue(func() string {
	hash, err := HashPassword("nobody has this password")
	if err != nil {
		panic(err) // of a constant
	}
	return hash
})

func (a *API) login(c echo.Context) error {
	var req wire.LoginRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	return a.admitted(c, req, a.signIn)
}

// admitted lets somebody try a password, unless too many were tried for the account.
func (a *API) admitted(c echo.Context, req wire.LoginRequest, enter func(echo.Context, wire.LoginRequest) error) error {
	if req.Username == "" || len(req.Username) > maxName || !printable(req.Username) {
		return invalidField("username", fmt.Sprintf("has 1 to %d printable characters", maxName))
	}
	// No factor lifts this one: it is what stands between a password and guesses.
	account := "account " + strings.ToLower(req.Username)
	return a.admit(c, a.strangers, account, loginsPerAccount, func(c echo.Context) error { return enter(c, req) })
}

func (a *API) signIn(c echo.Context, req wire.LoginRequest) error {
	out, err := a.session(c, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// session checks a password and begins a session.
func (a *API) session(c echo.Context, req wire.LoginRequest) (out wire.LoginResponse, err error) {
	ctx := c.Request().Context()
	user, err := a.opts.Store.User(ctx, req.Username)
	if errors.Is(err, store.ErrNotFound) {
		user, err = store.User{PasswordHash: nobodysHash()}, nil
	}
	if err != nil {
		return out, err
	}
	right, err := a.verify(ctx, user.PasswordHash, req.Password)
	if err != nil {
		return out, err
	}
	if !right || user.Name == "" {
		a.log.WarnContext(ctx, "sign-in refused", "user", req.Username, "address", c.RealIP())
		return out, &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "wrong user name or password"}
	}
	token := NewToken(UserToken)
	expires := a.opts.Store.Clock().UTC().Add(sessionLife).Truncate(time.Second)
	err = a.opts.Store.CreateToken(ctx, store.Token{
		ID: uuid.NewString(), Name: "session of " + user.Name, Kind: store.TokenSession, Role: user.Role,
		Hash: HashToken(token), CreatedBy: user.Name, ExpiresAt: expires,
	})
	if err != nil {
		return out, err
	}
	return wire.LoginResponse{Token: token, ExpiresAt: expires, User: wire.User{Username: user.Name, Role: user.Role}}, nil
}

// verify checks a password when there is room for it.
func (a *API) verify(ctx context.Context, hash, password string) (bool, error) {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
		return VerifyPassword(hash, password), nil
	case <-ctx.Done():
		return false, unavailable("too many sign in at once; try again")
	}
}
