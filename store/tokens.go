package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// TokenKind says what a token is for.
type TokenKind string

// The kinds of tokens.
const (
	TokenAPI          TokenKind = "API"
	TokenRegistration TokenKind = "Registration"
)

// Token is a bearer token; only its hash is kept.
type Token struct {
	ID, Name  string
	Kind      TokenKind
	Role      string
	Hash      []byte // SHA-256
	CreatedAt time.Time
	CreatedBy string
	Owner     string    // the user who made it, or the token that it was made with; "" is nobody's
	Stopped   bool      // its owner makes no tokens any more: it is refused
	ExpiresAt time.Time // zero: never
	Scope     profile.Scope
}

const tokenColumns = `id, name, kind, role, token_hash, created_at, created_by, owner, expires_at, scope`

func scanToken(row scanner) (t Token, err error) {
	return t, row.Scan(&t.ID, &t.Name, &t.Kind, &t.Role, &t.Hash, at(&t.CreatedAt), &t.CreatedBy, &t.Owner, at(&t.ExpiresAt), asJSON(&t.Scope), &t.Stopped)
}

// tokenStopped says that a token's owner is one who could not make it now. Tokens
// come back with the right to make them: disabling somebody can be taken back.
const tokenStopped = `owner <> '' AND NOT EXISTS (SELECT 1 FROM users WHERE users.name = api_tokens.owner AND users.role = 'Admin' AND NOT users.disabled)`

// makesTokens says that a user may make tokens, and that those that are there are good.
func makesTokens(u User) bool { return u.Role == roleAdmin && !u.Disabled }

// CreateToken keeps a token; ErrExists for one that is known, and ErrNotFound when
// its owner makes no tokens any more.
func (s *Store) CreateToken(ctx context.Context, t Token) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.checkOwner(ctx, t.Owner); err != nil {
			return fmt.Errorf("create token %s: %w", t.Name, err)
		}
		if _, err := tx.exec(ctx, `INSERT INTO api_tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			t.ID, t.Name, t.Kind, t.Role, t.Hash, stamp(tx.now()), t.CreatedBy, t.Owner, stamp(t.ExpiresAt), asJSON(t.Scope)); err != nil {
			return fmt.Errorf("create token %s: %w", t.Name, err)
		}
		return tx.Record(ctx, rollout.Fact{Type: "token.created", EntityType: "token", EntityID: t.ID, Actor: t.CreatedBy,
			Details: tokenDetails(t)})
	})
}

// checkOwner looks whether a token's owner still makes tokens. The owner is locked:
// a removal waits, and then takes this token along.
func (tx *Tx) checkOwner(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	u, err := scanUser(tx.tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`+tx.s.engine.lock, name))
	if err == nil && !makesTokens(u) {
		err = ErrNotFound
	}
	return notFound(err, ErrNotFound, "an Admin", name)
}

// tokensOf are the names of a user's tokens.
func (tx *Tx) tokensOf(ctx context.Context, owner string) ([]string, error) {
	return collect(ctx, tx.tx, func(row scanner) (name string, err error) { return name, row.Scan(&name) },
		`SELECT name FROM api_tokens WHERE owner = $1 ORDER BY name`, owner)
}

// revokeTokensOf ends all tokens of a user who goes.
func (tx *Tx) revokeTokensOf(ctx context.Context, owner, by string) error {
	gone, err := collect(ctx, tx.tx, func(row scanner) (t Token, err error) { return t, row.Scan(&t.ID, &t.Name) },
		`DELETE FROM api_tokens WHERE owner = $1 RETURNING id, name`, owner)
	if err != nil {
		return fmt.Errorf("revoke the tokens: %w", err)
	}
	for _, t := range gone {
		if err := tx.Record(ctx, rollout.Fact{Type: "token.revoked", EntityType: "token", EntityID: t.ID, Actor: by,
			Details: map[string]any{"name": t.Name, "owner": owner}}); err != nil {
			return err
		}
	}
	return nil
}

// tokenDetails is what the audit log says of a token that was made.
func tokenDetails(t Token) map[string]any {
	details := map[string]any{"name": t.Name, "role": t.Role}
	if t.Owner != "" && t.Owner != t.CreatedBy {
		details["owner"] = t.Owner
	}
	if !t.Scope.Everything() {
		details["scope"] = t.Scope
	}
	return details
}

// TokenByHash reads the token with the hash; ErrNotFound for an unknown or an
// expired one, and for one that is stopped.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, `SELECT `+tokenColumns+`, FALSE FROM api_tokens
		WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2) AND NOT (`+tokenStopped+`)`, hash, stamp(s.now())))
	return t, notFound(err, ErrNotFound, "the", "token")
}

// Tokens lists the tokens, newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	tokens, err := collect(ctx, s.read, scanToken, `SELECT `+tokenColumns+`, (`+tokenStopped+`) FROM api_tokens ORDER BY created_at DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("list the tokens: %w", err)
	}
	return tokens, nil
}

// RevokeToken ends a token; ErrNotFound when there is none.
func (s *Store) RevokeToken(ctx context.Context, id, actor string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `DELETE FROM api_tokens WHERE id = $1`, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		return tx.Record(ctx, rollout.Fact{Type: "token.revoked", EntityType: "token", EntityID: id, Actor: actor, Details: map[string]any{}})
	})
}
