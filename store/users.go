package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/rollout"
)

// User is a person: with a password, or known by an issuer and a subject.
type User struct {
	Name, Role      string
	PasswordHash    string // "" for one with an Issuer
	Issuer, Subject string
	Disabled        bool
	CreatedAt       time.Time
}

// UserChange says what becomes of a user; what is nil stays. By is who changes it.
type UserChange struct {
	Role, PasswordHash *string
	Disabled           *bool
	By                 string
}

// roleAdmin is the role of which somebody must be left.
const roleAdmin = "Admin"

// ErrLastAdmin is returned instead of taking away the last Admin who signs in with
// a password: with none, nobody could let anybody in while a provider is away.
var ErrLastAdmin = errors.New("the last Admin with a password stays: make another one first")

const userColumns = `name, role, password_hash, issuer, subject, disabled, created_at`

func scanUser(row scanner) (u User, err error) {
	return u, row.Scan(&u.Name, &u.Role, &u.PasswordHash, &u.Issuer, &u.Subject, &u.Disabled, at(&u.CreatedAt))
}

// CreateUser adds a user on the daemon's own account; see AddUser.
func (s *Store) CreateUser(ctx context.Context, u User) error {
	return s.AddUser(ctx, u, rollout.Daemon)
}

// AddUser adds a user; ErrExists for a name that a user or a token has.
func (s *Store) AddUser(ctx context.Context, u User, by string) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.addUser(ctx, u, by) })
}

func (tx *Tx) addUser(ctx context.Context, u User, by string) error {
	// The audit log knows both by their names alone.
	n, err := tx.exec(ctx, `INSERT INTO users (`+userColumns+`) SELECT $1, $2, $3, $4, $5, $6, $7
		WHERE NOT EXISTS (SELECT 1 FROM api_tokens WHERE lower(name) = lower($1))`,
		u.Name, u.Role, u.PasswordHash, u.Issuer, u.Subject, u.Disabled, stamp(tx.now()))
	if err == nil && n == 0 {
		err = fmt.Errorf("a token has this name: %w", ErrExists)
	}
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.Name, err)
	}
	details := map[string]any{"role": u.Role}
	if u.Issuer != "" {
		details["issuer"], details["subject"] = u.Issuer, u.Subject
	}
	return tx.Record(ctx, rollout.Fact{Type: "user.created", EntityType: "user", EntityID: u.Name, Actor: by, Details: details})
}

// SetPassword replaces a user's password on the daemon's own account; see ChangeUser.
func (s *Store) SetPassword(ctx context.Context, name, passwordHash string) error {
	return s.ChangeUser(ctx, name, UserChange{PasswordHash: &passwordHash, By: rollout.Daemon})
}

// ChangeUser changes a user, and ends all of the user's sessions: none outlives
// the password or the role that it was begun with. The tokens of one who may make
// none any more are refused from then on, until that is taken back. It returns ErrNotFound when
// there is no such user, and ErrLastAdmin.
func (s *Store) ChangeUser(ctx context.Context, name string, change UserChange) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.changeUser(ctx, name, change); err != nil {
			return fmt.Errorf("change user %s: %w", name, err)
		}
		return nil
	})
}

func (tx *Tx) changeUser(ctx context.Context, name string, change UserChange) error {
	before, err := tx.adminsLeft(ctx, name, change.Role != nil && *change.Role != roleAdmin || change.Disabled != nil && *change.Disabled)
	if err != nil {
		return err
	}
	after, details := before, map[string]any{}
	if change.Role != nil && *change.Role != before.Role {
		after.Role = *change.Role
		details["role"], details["before"] = after.Role, before.Role
	}
	if change.PasswordHash != nil {
		after.PasswordHash = *change.PasswordHash
		details["password"] = "changed"
	}
	if change.Disabled != nil && *change.Disabled != before.Disabled {
		after.Disabled = *change.Disabled
		details["disabled"] = after.Disabled
	}
	if len(details) == 0 {
		return nil
	}
	if _, err := tx.exec(ctx, `UPDATE users SET role = $2, password_hash = $3, disabled = $4 WHERE name = $1`,
		name, after.Role, after.PasswordHash, after.Disabled); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE user_name = $1`, name); err != nil {
		return fmt.Errorf("end the sessions: %w", err)
	}
	if makesTokens(before) != makesTokens(after) {
		tokens, err := tx.tokensOf(ctx, name)
		if err != nil {
			return fmt.Errorf("look for the tokens: %w", err)
		}
		if said := "tokensStopped"; len(tokens) > 0 {
			if makesTokens(after) {
				said = "tokensGood"
			}
			details[said] = tokens
		}
	}
	return tx.Record(ctx, rollout.Fact{Type: "user.changed", EntityType: "user", EntityID: name, Actor: change.By, Details: details})
}

// adminsLeft reads a user; ErrLastAdmin when the user is to go and no other is
// left who lets people in. All Admins are locked: two who remove each other at
// once must not both succeed.
func (tx *Tx) adminsLeft(ctx context.Context, name string, goes bool) (User, error) {
	admins, err := collect(ctx, tx.tx, scanUser, `SELECT `+userColumns+` FROM users WHERE role = $1 ORDER BY name`+tx.s.engine.lock, roleAdmin)
	if err != nil {
		return User{}, err
	}
	u, err := scanUser(tx.tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`+tx.s.engine.lock, name))
	if err = notFound(err, ErrNotFound, "user", name); err != nil {
		return u, err
	}
	if !goes || !opensDoors(u) {
		return u, nil
	}
	for _, a := range admins {
		if a.Name != name && opensDoors(a) {
			return u, nil
		}
	}
	return u, ErrLastAdmin
}

// opensDoors says that a user can let others in, whatever is away.
func opensDoors(u User) bool { return u.Role == roleAdmin && u.Issuer == "" && !u.Disabled }

// RemoveUser removes a user, whose sessions and tokens end; ErrNotFound when there
// is none, and ErrLastAdmin.
func (s *Store) RemoveUser(ctx context.Context, name, by string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		u, err := tx.adminsLeft(ctx, name, true)
		if err == nil {
			err = tx.revokeTokensOf(ctx, name, by)
		}
		if err == nil {
			_, err = tx.exec(ctx, `DELETE FROM users WHERE name = $1`, name)
		}
		if err != nil {
			return fmt.Errorf("remove user %s: %w", name, err)
		}
		return tx.Record(ctx, rollout.Fact{Type: "user.removed", EntityType: "user", EntityID: name, Actor: by, Details: map[string]any{"role": u.Role}})
	})
}

// KnownSubject gives the user of an issuer's subject, with the role that the
// issuer says now; one who comes for the first time gets the first of the names
// that is free. A disabled user is given as that.
func (s *Store) KnownSubject(ctx context.Context, u User, names ...string) (found User, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		found, err = scanUser(tx.tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE issuer = $1 AND subject = $2`+tx.s.engine.lock, u.Issuer, u.Subject))
		if err = notFound(err, ErrNotFound, "the", "subject"); err == nil {
			if found.Role == u.Role {
				return nil
			}
			found.Role = u.Role
			return tx.changeUser(ctx, found.Name, UserChange{Role: &u.Role, By: rollout.Daemon})
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if u.Name, err = tx.freeName(ctx, names); err != nil {
			return err
		}
		found = u
		return tx.addUser(ctx, u, rollout.Daemon)
	})
	if err != nil {
		return User{}, fmt.Errorf("know a subject of %s: %w", u.Issuer, err)
	}
	return found, nil
}

// freeName is the first of the names that neither a user nor a token has.
func (tx *Tx) freeName(ctx context.Context, names []string) (string, error) {
	for _, name := range names {
		n, err := count(ctx, tx.tx, `SELECT (SELECT count(*) FROM users WHERE lower(name) = lower($1)) + (SELECT count(*) FROM api_tokens WHERE lower(name) = lower($1))`, name)
		if err != nil || n == 0 {
			return name, err
		}
	}
	return "", fmt.Errorf("every name for it is taken: %w", ErrExists)
}

// User reads a user; ErrNotFound when there is none.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`, name))
	return u, notFound(err, ErrNotFound, "user", name)
}

// NameTaken says that a user has the name, in whatever case.
func (s *Store) NameTaken(ctx context.Context, name string) (bool, error) {
	n, err := count(ctx, s.read, `SELECT count(*) FROM users WHERE lower(name) = lower($1)`, name)
	return n > 0, err
}

// Users lists users by name, and how many there are in all.
func (s *Store) Users(ctx context.Context, limit, offset int) ([]User, int, error) {
	return listed(ctx, s.read, where{}, "users", userColumns, "name", cmp.Or(limit, 50), offset, scanUser)
}

// CountUsers says how many users there are.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	return count(ctx, s.read, `SELECT count(*) FROM users`)
}
