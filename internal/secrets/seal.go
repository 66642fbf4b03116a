package secrets

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// maxValue bounds one secret in bytes.
const maxValue = 64 << 10

// Boxes is where sealed values are kept.
type Boxes interface {
	InsertSealed(ctx context.Context, name string, values []store.SealedValue) error
	SealedByFingerprint(ctx context.Context, name string, fingerprint []byte) (store.SealedValue, bool, error)
	SealedValues(ctx context.Context, name string, ids []string) (map[string]store.SealedValue, error)
}

// Seal replaces each {"type": "secret", "value": ...} of a profile's data by a
// sealed value. A value that the profile has already keeps its id. It returns an
// *Error for what cannot be given so: no key, a masked value, a sealed value of
// somebody else.
func (k *Keeper) Seal(ctx context.Context, name string, data profile.Data) (profile.Data, error) {
	found := profile.Secrets(data)
	known, err := k.opts.Boxes.SealedValues(ctx, name, profile.SealedIDs(data))
	if err != nil {
		return nil, err
	}
	ids := map[string]string{} // of values that were given, by path
	var fresh []store.SealedValue
	made := map[string]string{} // ids of this call, by fingerprint: the same value twice is one
	for _, s := range found {
		if err := k.givable(name, s, known); err != nil {
			return nil, err
		}
		if s.Kind != profile.Given {
			continue
		}
		value := encodeValue(s.Value)
		mark := string(k.opts.Keys.list[0].fingerprint(name, value))
		if id, ok := made[mark]; ok {
			ids[s.Path] = id
			continue
		}
		id, ok, err := k.sealedBefore(ctx, name, value)
		if err != nil {
			return nil, err
		}
		if !ok {
			id = newID()
			fresh = append(fresh, k.opts.Keys.list[0].seal(name, id, value))
		}
		ids[s.Path], made[mark] = id, id
	}
	if len(fresh) > 0 {
		if err := k.opts.Boxes.InsertSealed(ctx, name, fresh); err != nil {
			return nil, err
		}
	}
	return profile.ReplaceSecrets(data, func(s profile.Secret) (any, error) {
		return standing(s, ids[s.Path]), nil
	})
}

// standing is how a secret stands in what is stored.
func standing(s profile.Secret, id string) any {
	switch s.Kind {
	case profile.Given:
		return map[string]any{profile.SealedKey: id}
	case profile.Sealed:
		return map[string]any{profile.SealedKey: s.ID}
	case profile.Encrypted:
		return s.Sops.Value()
	default:
		return map[string]any{profile.SecretKey: s.Ref}
	}
}

// givable refuses what nobody may give by API.
func (k *Keeper) givable(name string, s profile.Secret, known map[string]store.SealedValue) error {
	switch s.Kind {
	case profile.Given:
		return k.sealable(s)
	case profile.Sealed:
		if _, ok := known[s.ID]; !ok {
			return &Error{Path: s.Path, Reason: "names a sealed value that this profile does not have: give the value itself, {\"type\": \"secret\", \"value\": ...}"}
		}
	case profile.Encrypted:
		return &Error{Path: s.Path, Reason: "values that sops encrypted come from Git: give the value itself, {\"type\": \"secret\", \"value\": ...}"}
	case profile.Reference:
		return k.CheckReference(name, s.Path, s.Ref)
	}
	return nil
}

func (k *Keeper) sealable(s profile.Secret) error {
	if k.opts.Keys.Sealing() == "" {
		return &Error{Path: s.Path, Reason: "nothing can be sealed without a key: set master_key, or give a reference such as {\"$secret\": \"vault:path#key\"}"}
	}
	text, ok := s.Value.(string)
	switch {
	case ok && text == "":
		return &Error{Path: s.Path, Reason: "the secret is empty"}
	case ok && text == profile.Masked:
		return &Error{Path: s.Path, Reason: "the secret is " + profile.Masked + ", which stands for one in answers: give the value itself"}
	case s.Value == nil:
		return &Error{Path: s.Path, Reason: "the secret is null"}
	}
	if n := len(encodeValue(s.Value)); n > maxValue {
		return &Error{Path: s.Path, Reason: fmt.Sprintf("the secret has %d bytes, at most %d are kept", n, maxValue)}
	}
	return nil
}

// sealedBefore finds the id of a value that the profile has already, under
// whichever key it is sealed.
func (k *Keeper) sealedBefore(ctx context.Context, name string, value []byte) (string, bool, error) {
	for _, one := range k.opts.Keys.list {
		v, ok, err := k.opts.Boxes.SealedByFingerprint(ctx, name, one.fingerprint(name, value))
		if err != nil || ok {
			return v.ID, ok, err
		}
	}
	return "", false, nil
}

// newID makes the id of a sealed value. It says nothing of the value.
func newID() string {
	random := make([]byte, 16)
	rand.Read(random)
	return "sv_" + base64.RawURLEncoding.EncodeToString(random)
}
