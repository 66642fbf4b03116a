package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// KeptKeys is how long the answer of a write with an Idempotency-Key is kept.
const KeptKeys = 24 * time.Hour

// claimLasts is after what time a request that did not answer is taken to be
// gone: every write is answered sooner.
const claimLasts = 30 * time.Second

// Claim is one request with an Idempotency-Key. The key itself and the request
// are nowhere in the database: without the key, Fingerprint cannot be tried.
type Claim struct {
	Caller      string
	KeyHash     []byte
	Fingerprint []byte
	Owner       string // names this one request
}

// Answer is what a request was answered.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// What a claim can find instead of a free key.
var (
	// ErrKeyReused is returned for a key that another request used.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrKeyBusy is returned while a request with the key is under way.
	ErrKeyBusy = errors.New("a request with this idempotency key is under way")
	// ErrAnswerLost is returned for a request that changed something and whose
	// answer is not known: the process that made it ended in between.
	ErrAnswerLost = errors.New("the request with this idempotency key was carried out, and its answer was lost")
)

// ClaimKey takes a key for a request, or gives what the request with that key was
// answered (nil when it is to be made now). It returns ErrKeyReused, ErrKeyBusy or
// ErrAnswerLost. A key older than KeptKeys is free again, and so is that of a
// request that ended without an answer and without having changed anything.
func (s *Store) ClaimKey(ctx context.Context, c Claim) (answered *Answer, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		answered = nil
		now := tx.now()
		n, err := tx.exec(ctx, `INSERT INTO idempotency_keys (caller, key_hash, fingerprint, owner, claimed_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (caller, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint, owner = excluded.owner,
			 claimed_at = excluded.claimed_at, effective = false, answered_at = NULL, status = 0, headers = '{}', body = ''
			WHERE idempotency_keys.claimed_at <= $6 OR idempotency_keys.answered_at IS NULL AND NOT idempotency_keys.effective
			 AND idempotency_keys.fingerprint = excluded.fingerprint AND idempotency_keys.claimed_at <= $7`,
			c.Caller, c.KeyHash, c.Fingerprint, c.Owner, stamp(now), stamp(now.Add(-KeptKeys)), stamp(now.Add(-claimLasts)))
		if err != nil || n == 1 {
			return err
		}
		answered, err = tx.answered(ctx, c, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return answered, nil
}

// answered reads what became of the request that has the key.
func (tx *Tx) answered(ctx context.Context, c Claim, now time.Time) (*Answer, error) {
	var claimedAt, answeredAt time.Time
	var same, effective bool
	var a Answer
	var body string
	err := tx.tx.QueryRowContext(ctx, `SELECT fingerprint = $3, effective, claimed_at, answered_at, status, headers, body
		FROM idempotency_keys WHERE caller = $1 AND key_hash = $2`, c.Caller, c.KeyHash, c.Fingerprint).
		Scan(&same, &effective, at(&claimedAt), at(&answeredAt), &a.Status, asJSON(&a.Headers), &body)
	a.Body = []byte(body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, ErrKeyBusy // given back in this moment
	case err != nil:
		return nil, err
	case !same:
		return nil, ErrKeyReused
	case !answeredAt.IsZero() && a.Status != 0:
		return &a, nil
	case !answeredAt.IsZero(), effective && claimedAt.Before(now.Add(-claimLasts)):
		return nil, ErrAnswerLost
	}
	return nil, ErrKeyBusy
}

// AnswerKey keeps the answer of the request that claimed a key; a zero status says
// that there was one which is not kept.
func (s *Store) AnswerKey(ctx context.Context, c Claim, a Answer) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE idempotency_keys SET answered_at = $4, status = $5, headers = $6, body = $7
			WHERE caller = $1 AND key_hash = $2 AND owner = $3`, c.Caller, c.KeyHash, c.Owner, stamp(tx.now()), a.Status, asJSON(a.Headers), string(a.Body))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the answer of an idempotency key: %w", err)
	}
	return nil
}

// GiveBackKey frees the key of a request that failed, unless it changed something.
func (s *Store) GiveBackKey(ctx context.Context, c Claim) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `DELETE FROM idempotency_keys WHERE caller = $1 AND key_hash = $2 AND owner = $3 AND NOT effective`,
			c.Caller, c.KeyHash, c.Owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("give an idempotency key back: %w", err)
	}
	return nil
}

type claimKey struct{}

// Claimed marks the work of a request that claimed a key: every transaction of it
// that commits says so in the claim, so that no crash in between makes the request
// twice.
func Claimed(ctx context.Context, c Claim) context.Context {
	return context.WithValue(ctx, claimKey{}, c)
}

// tookEffect notes in the claim, if there is one, that its request changed something.
func (tx *Tx) tookEffect(ctx context.Context) error {
	c, ok := ctx.Value(claimKey{}).(Claim)
	if !ok {
		return nil
	}
	// One whose claim was taken over came too late: what it wanted is being done.
	n, err := tx.exec(ctx, `UPDATE idempotency_keys SET effective = true WHERE caller = $1 AND key_hash = $2 AND owner = $3`,
		c.Caller, c.KeyHash, c.Owner)
	if err == nil && n == 0 {
		err = ErrKeyBusy
	}
	if err != nil {
		return fmt.Errorf("note that a request took effect: %w", err)
	}
	return nil
}
