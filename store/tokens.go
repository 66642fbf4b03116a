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
	ExpiresAt time.Time // zero: never
	Scope     profile.Scope
}

const tokenColumns = `id, name, kind, role, token_hash, created_at, created_by, expires_at, scope`

func scanToken(row scanner) (t Token, err error) {
	return t, row.Scan(&t.ID, &t.Name, &t.Kind, &t.Role, &t.Hash, at(&t.CreatedAt), &t.CreatedBy, at(&t.ExpiresAt), asJSON(&t.Scope))
}

// CreateToken keeps a token; ErrExists for one that is known.
func (s *Store) CreateToken(ctx context.Context, t Token) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `INSERT INTO api_tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.ID, t.Name, t.Kind, t.Role, t.Hash, stamp(tx.now()), t.CreatedBy, stamp(t.ExpiresAt), asJSON(t.Scope)); err != nil {
			return fmt.Errorf("create token %s: %w", t.Name, err)
		}
		return tx.Record(ctx, rollout.Fact{Type: "token.created", EntityType: "token", EntityID: t.ID, Actor: t.CreatedBy,
			Details: tokenDetails(t)})
	})
}

// tokenDetails is what the audit log says of a token that was made.
func tokenDetails(t Token) map[string]any {
	details := map[string]any{"name": t.Name, "role": t.Role}
	if !t.Scope.Everything() {
		details["scope"] = t.Scope
	}
	return details
}

// TokenByHash reads the token with the hash; ErrNotFound for an unknown or an
// expired one.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM api_tokens
		WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)`, hash, stamp(s.now())))
	return t, notFound(err, ErrNotFound, "the", "token")
}

// Tokens lists the tokens, newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	tokens, err := collect(ctx, s.read, scanToken, `SELECT `+tokenColumns+` FROM api_tokens ORDER BY created_at DESC, id`)
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
