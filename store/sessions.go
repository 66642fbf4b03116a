package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Session is somebody who signed in. Only the hash of its id is kept.
type Session struct {
	IDHash    []byte // SHA-256
	User      string
	Address   string // that it was begun from; "" is not known
	ExpiresAt time.Time
}

// BeginSession keeps a session of the user as it was when it was looked at: one
// who was disabled, or got another role or password meanwhile, is ErrNotFound.
// It returns ErrExists for an id that is in use. Sessions are not audited one by one.
func (s *Store) BeginSession(ctx context.Context, session Session, of User) error {
	return s.InTx(ctx, func(tx *Tx) error {
		// Every sign-in makes a session: those that are over go here.
		if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, stamp(tx.now())); err != nil {
			return fmt.Errorf("remove old sessions: %w", err)
		}
		// Locked: a change of the user waits, and then ends this session too.
		u, err := scanUser(tx.tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`+tx.s.engine.lock, of.Name))
		if err == nil && (u.Disabled || u.Role != of.Role || u.PasswordHash != of.PasswordHash) {
			err = ErrNotFound
		}
		if err = notFound(err, ErrNotFound, "user", of.Name); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO sessions (id_hash, user_name, address, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			session.IDHash, of.Name, session.Address, stamp(tx.now()), stamp(session.ExpiresAt)); err != nil {
			return fmt.Errorf("begin a session of %s: %w", of.Name, err)
		}
		return nil
	})
}

// SessionUser reads whose session it is; ErrNotFound for one that is unknown or
// over, and when its user is disabled.
func (s *Store) SessionUser(ctx context.Context, idHash []byte) (User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE disabled = $3
		AND name = (SELECT user_name FROM sessions WHERE id_hash = $1 AND expires_at > $2)`, idHash, stamp(s.now()), false))
	return u, notFound(err, ErrNotFound, "the", "session")
}

// EndSession ends a session; one that is not there has ended.
func (s *Store) EndSession(ctx context.Context, idHash []byte) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE id_hash = $1`, idHash); err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		return nil
	})
}

// SignedInFrom says that a user is signed in from the address.
func (s *Store) SignedInFrom(ctx context.Context, user, address string) (bool, error) {
	n, err := count(ctx, s.read, `SELECT count(*) FROM (SELECT 1 FROM sessions WHERE user_name = $1 AND address = $2 AND expires_at > $3 LIMIT 1) AS one`,
		user, address, stamp(s.now()))
	if err != nil {
		return false, fmt.Errorf("look for sessions of %s: %w", user, err)
	}
	return n > 0, nil
}

// SessionKey gives the key that sessions are signed with where none is set: the
// same to every replica, made by fresh when there is none.
func (s *Store) SessionKey(ctx context.Context, fresh func() string) (secret string, err error) {
	read := func() error {
		return s.read.QueryRowContext(ctx, `SELECT secret FROM session_keys WHERE one = 1`).Scan(&secret)
	}
	if err := notFound(read(), ErrNotFound, "the", "session key"); !errors.Is(err, ErrNotFound) {
		return secret, err
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO session_keys (one, secret, created_at) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING`, fresh(), stamp(tx.now()))
		return err
	})
	if err == nil {
		err = read() // another replica may have been quicker
	}
	if err != nil {
		return "", fmt.Errorf("make a session key: %w", err)
	}
	return secret, nil
}
