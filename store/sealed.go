package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// Facts about secrets.
const (
	// FactSealed is that values were given for a profile and sealed.
	FactSealed = "secrets.sealed"
	// FactOpened is that an instance was given a delivery with its secrets opened.
	FactOpened = "secrets.opened"
	// FactRotated is that sealed values were sealed anew, under another key.
	FactRotated = "secrets.rotated"
)

// SealedValue is a secret of one profile as it is kept: without the key it says nothing.
type SealedValue struct {
	ID          string
	Profile     string
	KeyID       string
	Fingerprint []byte // of the value, by the key
	Box         []byte // nonce and ciphertext
}

const sealedColumns = `id, config_name, key_id, fingerprint, box`

func scanSealed(row scanner) (v SealedValue, err error) {
	return v, row.Scan(&v.ID, &v.Profile, &v.KeyID, &v.Fingerprint, &v.Box)
}

// InsertSealed keeps sealed values, and says in the audit log how many and of which profile. Whose version they become
// part of is told by the event of that.
func (s *Store) InsertSealed(ctx context.Context, name string, values []SealedValue) error {
	return s.InTx(ctx, func(tx *Tx) error {
		ids := make([]string, len(values))
		for i, v := range values {
			if v.Profile != name {
				return fmt.Errorf("seal for %s: a value is of %s", name, v.Profile)
			}
			ids[i] = v.ID
			if _, err := tx.exec(ctx, `INSERT INTO sealed_values (id, config_name, key_id, fingerprint, box, created_at, sealed_at)
				VALUES ($1, $2, $3, $4, $5, $6, $6)`, v.ID, v.Profile, v.KeyID, v.Fingerprint, v.Box, stamp(tx.now())); err != nil {
				return fmt.Errorf("keep a sealed value of %s: %w", name, err)
			}
		}
		return tx.Record(ctx, rollout.Fact{
			Type: FactSealed, EntityType: "profile", EntityID: name, Actor: rollout.Daemon, Details: map[string]any{"sealed": ids},
		})
	})
}

// SealedByFingerprint reads the oldest sealed value of a profile with that fingerprint; ok is false without one. It is
// sealed under the key that made the fingerprint.
func (s *Store) SealedByFingerprint(ctx context.Context, name string, fingerprint []byte) (v SealedValue, ok bool, err error) {
	found, err := collect(ctx, s.read, scanSealed, `SELECT `+sealedColumns+` FROM sealed_values
		WHERE config_name = $1 AND fingerprint = $2 ORDER BY created_at, id LIMIT 1`, name, fingerprint)
	if err != nil {
		return v, false, fmt.Errorf("look for a sealed value of %s: %w", name, err)
	}
	if len(found) == 0 {
		return v, false, nil
	}
	return found[0], true, nil
}

// SealedValues reads those sealed values of a profile that have one of the ids, by id. Whatever is another profile's is
// not there.
func (s *Store) SealedValues(ctx context.Context, name string, ids []string) (map[string]SealedValue, error) {
	if len(ids) == 0 {
		return map[string]SealedValue{}, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("read sealed values of %s: %w", name, err)
	}
	found, err := collect(ctx, s.read, scanSealed, `SELECT `+sealedColumns+` FROM sealed_values
		WHERE config_name = $1 AND `+s.engine.in("id", 2), name, string(list))
	if err != nil {
		return nil, fmt.Errorf("read sealed values of %s: %w", name, err)
	}
	out := make(map[string]SealedValue, len(found))
	for _, v := range found {
		out[v.ID] = v
	}
	return out, nil
}

// useSealed notes which sealed values a version names. ErrNotFound when one of them is not the profile's: a value that
// was given for one profile opens for no other.
func (tx *Tx) useSealed(ctx context.Context, v profile.Version) error {
	data := v.Data
	if data == nil && profile.MayHoldSecrets(v.Text) {
		var err error
		if data, err = profile.DecodeData(v.Text); err != nil {
			return err
		}
	}
	for _, id := range profile.SealedIDs(data) {
		n, err := count(ctx, tx.tx, `SELECT count(*) FROM sealed_values WHERE config_name = $1 AND id = $2`, v.Profile, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err == nil {
			_, err = tx.exec(ctx, `INSERT INTO sealed_uses (config_name, version, sealed_id) VALUES ($1, $2, $3)`, v.Profile, v.Number, id)
		}
		if err != nil {
			return fmt.Errorf("sealed value %s: %w", id, err)
		}
	}
	return nil
}

// SealedUnder counts the sealed values by the id of their key.
func (s *Store) SealedUnder(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	_, err := collect(ctx, s.read, func(row scanner) (n struct{}, err error) {
		var key string
		var values int
		if err = row.Scan(&key, &values); err == nil {
			out[key] = values
		}
		return n, err
	}, `SELECT key_id, count(*) FROM sealed_values GROUP BY key_id`)
	if err != nil {
		return nil, fmt.Errorf("count the sealed values: %w", err)
	}
	return out, nil
}

// SealedNotUnder reads up to limit values that another key than keyID sealed, those with an id above after.
func (s *Store) SealedNotUnder(ctx context.Context, keyID, after string, limit int) ([]SealedValue, error) {
	found, err := collect(ctx, s.read, scanSealed, `SELECT `+sealedColumns+` FROM sealed_values
		WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT $3`, keyID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read sealed values: %w", err)
	}
	return found, nil
}

// Reseal replaces what is kept of sealed values, with an audit event. One that changed since it was read, by another
// rotation, keeps what that wrote; one that is gone stays so. It returns how many it replaced.
func (s *Store) Reseal(ctx context.Context, actor string, before, after []SealedValue) (n int, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		n = 0
		for i, v := range after {
			changed, err := tx.exec(ctx, `UPDATE sealed_values SET key_id = $2, fingerprint = $3, box = $4, sealed_at = $5
				WHERE id = $1 AND key_id = $6`, v.ID, v.KeyID, v.Fingerprint, v.Box, stamp(tx.now()), before[i].KeyID)
			if err != nil {
				return fmt.Errorf("seal value %s anew: %w", v.ID, err)
			}
			n += int(changed)
		}
		if n == 0 {
			return nil
		}
		return tx.Record(ctx, rollout.Fact{
			Type: FactRotated, EntityType: "store", EntityID: "sealed_values", Actor: actor,
			Details: map[string]any{"values": n, "key": after[0].KeyID},
		})
	})
	return n, err
}

// Opening is the secrets of one delivery being opened for an instance.
type Opening struct {
	InstanceID, Profile, Version, Hash string
	Generation                         int64
	Secrets                            []string // what stood for them: references, ids; never a value
	TraceID                            string
}

// RecordOpening writes the audit event of an opening: one for each delivery to each instance, however often that asks
// for it. ErrNotFound when the instance is assigned something else by now.
func (s *Store) RecordOpening(ctx context.Context, o Opening) error {
	var opened int64
	err := s.read.QueryRowContext(ctx, `SELECT opened_generation FROM config_assignments
		WHERE instance_id = $1 AND config_name = $2 AND config_hash = $3 AND generation = $4`,
		o.InstanceID, o.Profile, o.Hash, o.Generation).Scan(&opened)
	if err != nil {
		return notFound(err, ErrNotFound, "assignment of "+o.Profile+" to", o.InstanceID)
	}
	if opened >= o.Generation {
		return nil // most of those who ask again need no write
	}
	return s.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE config_assignments SET opened_generation = $4
			WHERE instance_id = $1 AND config_name = $2 AND config_hash = $3 AND generation = $4 AND opened_generation < $4`,
			o.InstanceID, o.Profile, o.Hash, o.Generation)
		if err != nil {
			return fmt.Errorf("note that instance %s is given the secrets of %s: %w", o.InstanceID, o.Profile, err)
		}
		if n == 0 {
			return nil
		}
		return tx.Record(ctx, rollout.Fact{
			Type: FactOpened, EntityType: "instance", EntityID: o.InstanceID, Actor: o.InstanceID, TraceID: o.TraceID, Details: map[string]any{
				"profile": o.Profile, "version": o.Version, "generation": o.Generation, "secrets": o.Secrets,
			},
		})
	})
}

// keptUnused is how long a sealed value may wait for the version that names it.
const keptUnused = 24 * time.Hour

// retainSealed removes the sealed values that no version names any more.
func (s *Store) retainSealed(ctx context.Context, now time.Time, removed Retained) error {
	return s.retainRows(ctx, removed, "sealed_values", "id", `created_at <= $1 AND NOT EXISTS
		(SELECT 1 FROM sealed_uses u WHERE u.config_name = sealed_values.config_name AND u.sealed_id = sealed_values.id)`,
		stamp(now.Add(-keptUnused)))
}
