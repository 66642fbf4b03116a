package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

const (
	loginsPerPair = 10 // a minute: one account, from one address
	maxHashing    = 4  // passwords checked at once: each takes 19 MiB
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

// admitted lets somebody try a password, unless too many were tried.
func (a *API) admitted(c echo.Context, req wire.LoginRequest, enter func(echo.Context, wire.LoginRequest) error) error {
	if req.Username == "" || len(req.Username) > maxName || !printable(req.Username) {
		return invalidField("username", fmt.Sprintf("has 1 to %d printable characters", maxName))
	}
	// No factor lifts this one: it is what stands between a password and guesses.
	pair := "account " + account(req.Username) + " " + addressKey(c)
	return a.admit(c, a.strangers, pair, loginsPerPair, func(c echo.Context) error { return enter(c, req) })
}

// account is the name that tries are counted by.
func account(username string) string { return strings.ToLower(username) }

func (a *API) signIn(c echo.Context, req wire.LoginRequest) error {
	out, err := a.enterWithPassword(c, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// enterWithPassword checks a password and begins a session.
func (a *API) enterWithPassword(c echo.Context, req wire.LoginRequest) (out wire.LoginResponse, err error) {
	user, err := a.proved(c, req.Username, req.Password)
	if err != nil {
		return out, err
	}
	out, err = a.beginSession(c, user)
	if errors.Is(err, store.ErrNotFound) { // changed, or removed, in this very moment
		err = wrongPassword()
	}
	return out, err
}

func wrongPassword() *problem {
	return &problem{status: http.StatusUnauthorized, code: "UNAUTHORIZED", message: "wrong user name or password"}
}

// proved is the user whose password it is. Whether there is such a user, has a
// password and is not disabled, no answer tells, nor how long it takes.
func (a *API) proved(c echo.Context, username, password string) (store.User, error) {
	ctx := c.Request().Context()
	if err := a.countTry(c, username); err != nil {
		return store.User{}, err
	}
	user, err := a.opts.Store.User(ctx, username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return user, err
	}
	hash := user.PasswordHash
	if err != nil || hash == "" || user.Disabled {
		hash, user = nobodysHash(), store.User{}
	}
	right, err := a.verify(ctx, hash, password)
	if err != nil {
		return store.User{}, err
	}
	if !right || user.Name == "" {
		a.metrics.signIns.WithLabelValues(refused).Inc()
		a.log.WarnContext(ctx, "sign-in refused", "user", username, "address", c.RealIP())
		return store.User{}, wrongPassword()
	}
	a.lockout.right(ctx, account(username), addressKey(c))
	return user, nil
}

// countTry counts one try of a password, and refuses it when there were too many.
func (a *API) countTry(c echo.Context, username string) error {
	ctx := c.Request().Context()
	wait := a.lockout.begin(ctx, account(username), addressKey(c), false)
	if wait > 0 && a.lockout.shut(account(username)) { // perhaps to strangers alone
		known, err := a.atHome(c, username)
		if err != nil {
			return err
		}
		if known {
			wait = a.lockout.begin(ctx, account(username), addressKey(c), true)
		}
	}
	if wait <= 0 {
		return nil
	}
	a.metrics.signIns.WithLabelValues(locked).Inc()
	a.log.WarnContext(ctx, "sign-in locked", "user", username, "address", c.RealIP(), "wait", wait.Round(time.Second))
	seconds := wholeSeconds(wait)
	c.Response().Header().Set("Retry-After", fmt.Sprint(seconds))
	return &problem{status: http.StatusTooManyRequests, code: "RATE_LIMIT_EXCEEDED", message: fmt.Sprintf("too many wrong passwords; try again in %d s", seconds)}
}

// atHome says that a user is signed in from the caller's address, or that the
// caller is on this very machine: whoever guesses elsewhere shuts no door there.
func (a *API) atHome(c echo.Context, username string) (bool, error) {
	if address, err := netip.ParseAddr(c.RealIP()); err == nil && address.Unmap().IsLoopback() {
		return true, nil
	}
	return a.opts.Store.SignedInFrom(c.Request().Context(), username, addressKey(c))
}

// verify checks a password when there is room for it.
func (a *API) verify(ctx context.Context, hash, password string) (right bool, err error) {
	err = a.hashes(ctx, func() { right = VerifyPassword(hash, password) })
	return right, err
}

// hashes does the work on a password when there is room for it. A request whose time
// is up by then is told so: what it asks of the store next would be said to fail.
func (a *API) hashes(ctx context.Context, work func()) error {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
		work()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return unavailable("the server has too much to do to look at the password in time; try again")
	}
	return nil
}
