package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/internal/session"
	"github.com/sluicehq/sluice/internal/settings"
	"github.com/sluicehq/sluice/internal/sso"
	"github.com/sluicehq/sluice/store"
)

const (
	adminUser             = "admin"
	registrationTokenFile = "registration-token"
	minRegistrationToken  = 32
)

// firstUsers makes the first sign-in and the first registration possible.
func firstUsers(ctx context.Context, sh *shell, db *store.Store, conf settings.Settings, is func() (admin, error)) error {
	if err := firstAdmin(ctx, sh, db, conf.AdminPassword.Reveal(), is); err != nil {
		return err
	}
	return registration(ctx, db, conf)
}

// sessionKeys are the keys that sessions are signed with: those that are set, or
// one that the replicas share in the database.
func sessionKeys(ctx context.Context, db *store.Store, conf settings.Settings) (*session.Keys, error) {
	text := conf.SessionKeys.Reveal()
	if text == "" {
		var err error
		if text, err = db.SessionKey(ctx, session.NewSecret); err != nil {
			return nil, err
		}
	}
	keys, err := session.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("session_keys: %w", err)
	}
	return keys, nil
}

// identityProvider is the one that people sign in with; nil when none is set.
func identityProvider(conf settings.Settings) (*sso.Provider, error) {
	if conf.OIDCIssuer == "" {
		return nil, nil
	}
	roles, err := conf.RolesOfClaims()
	if err != nil {
		return nil, fmt.Errorf("oidc_roles: %w", err)
	}
	return sso.New(sso.Options{
		Name: conf.OIDCName, Issuer: conf.OIDCIssuer, ClientID: conf.OIDCClientID, ClientSecret: conf.OIDCClientSecret.Reveal(),
		RedirectURL: strings.TrimRight(conf.ExternalURL, "/") + api.SSOCallback, Scopes: conf.OIDCScopes,
		RolesClaim: conf.OIDCRolesClaim, Roles: roles,
	}), nil
}

// admin is what is known of the user admin at the start.
type admin struct{ known, hasPassword bool }

// lookUpAdmin sees whether the user admin has the password, if one is set. Nothing else takes as
// long at a start, so it goes on beside the rest; is waits for it.
func lookUpAdmin(ctx context.Context, db *store.Store, password string) (is func() (admin, error)) {
	done := make(chan struct{})
	var found admin
	var failed error
	go func() {
		defer close(done)
		user, err := db.User(ctx, adminUser)
		switch {
		case err == nil:
			found = admin{known: true, hasPassword: password == "" || api.VerifyPassword(user.PasswordHash, password)}
		case !errors.Is(err, store.ErrNotFound):
			failed = err
		}
	}()
	return func() (admin, error) {
		<-done
		return found, failed
	}
}

// firstAdmin makes the user admin, and prints a password that nobody chose. A
// password that is set replaces the one of before.
func firstAdmin(ctx context.Context, sh *shell, db *store.Store, password string, is func() (admin, error)) error {
	found, err := is()
	if err != nil {
		return err
	}
	madeUp := false
	switch {
	case found.hasPassword:
		return nil
	case !found.known && password == "":
		users, err := db.CountUsers(ctx)
		if err != nil || users > 0 {
			return err
		}
		password = strings.TrimPrefix(api.NewToken(api.UserToken), string(api.UserToken))[:24]
		madeUp = true
	}
	hash, err := api.HashPassword(password)
	if err != nil {
		return fmt.Errorf("admin_password: %w", err)
	}
	if found.known {
		return db.SetPassword(ctx, adminUser, hash)
	}
	err = db.CreateUser(ctx, store.User{Name: adminUser, Role: string(api.Admin), PasswordHash: hash})
	if errors.Is(err, store.ErrExists) {
		return nil // another replica that starts at the same moment was quicker
	}
	if err == nil && madeUp {
		fmt.Fprintf(sh.stdout, "The first user is %q with the password %s\nIt is shown this once; sluice login asks for it.\n", adminUser, password)
	}
	return err
}

// registration makes the token known with which instances register. One that
// is not set is made up and kept in a file that only its owner can read.
func registration(ctx context.Context, db *store.Store, conf settings.Settings) error {
	token := conf.RegistrationToken.Reveal()
	if token == "" {
		var err error
		if token, err = ownRegistrationToken(filepath.Join(conf.DataDir, registrationTokenFile)); err != nil {
			return err
		}
	}
	if len(token) < minRegistrationToken {
		return fmt.Errorf("registration_token: it has %d characters, at least %d are needed: make one with `openssl rand -hex 32`", len(token), minRegistrationToken)
	}
	_, err := db.TokenByHash(ctx, api.HashToken(token))
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = db.CreateToken(ctx, store.Token{
		ID: uuid.NewString(), Name: "registration", Kind: store.TokenRegistration, Role: string(api.Registration),
		Hash: api.HashToken(token), CreatedBy: "sluice",
	})
	if errors.Is(err, store.ErrExists) {
		return nil // another replica with the same token was quicker
	}
	return err
}

func ownRegistrationToken(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("registration token: %w", err)
	}
	token := api.NewToken(api.RegistrationToken)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return "", fmt.Errorf("registration token: %w", err)
	}
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("registration token: %w", err)
	}
	return token, nil
}
