package profile

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
)

// How a secret stands in a profile's data.
const (
	// SecretKey is the key of a reference to a secret: {$secret: "vault:path#key"}.
	SecretKey = "$secret"
	// SealedKey is the key of a value that was sealed: {"$sealed": ID}. Only Sluice writes it.
	SealedKey = "$sealed"
	// SopsKey is the key of a value that sops encrypted, see Sops. Only Sluice writes it.
	SopsKey = "$sops"
)

// SecretKind says what stands for a secret.
type SecretKind string

// The kinds of secrets in data.
const (
	Given     SecretKind = "given"     // {"type": "secret", "value": ...}: the secret itself
	Sealed    SecretKind = "sealed"    // a value that was given by API and is kept sealed
	Reference SecretKind = "reference" // of a value that somebody else keeps
	Encrypted SecretKind = "encrypted" // by sops, in Git
)

// Secret is one secret of a profile's data.
type Secret struct {
	Kind SecretKind
	Path string // of its place: $.db.password
	Ref  string // of a Reference
	ID   string // of a Sealed one
	Sops Sops   // of an Encrypted one
	// Value is that of a Given one, as it was given.
	Value any
}

// Sops is a value that sops encrypted, with all that opens it: it stands in data as
// {"$sops": "ENC[...]", "at": "data:db:password", "keys": [...]}.
type Sops struct {
	Cipher string   // ENC[AES256_GCM,data:...,iv:...,tag:...,type:str]
	At     string   // its place in the file, keys joined by colons: the cipher is bound to it
	Keys   []string // the file's key, encrypted by age for one recipient each, base64
}

// Value is how the secret stands in data.
func (s Sops) Value() map[string]any {
	keys := make([]any, len(s.Keys))
	for i, k := range s.Keys {
		keys[i] = k
	}
	return map[string]any{SopsKey: s.Cipher, "at": s.At, "keys": keys}
}

// Secrets lists the secrets of d, by path.
func Secrets(d Data) []Secret {
	var found []Secret
	collect := func(s Secret) (any, error) {
		found = append(found, s)
		return nil, nil
	}
	ReplaceSecrets(d, collect) //nolint:errcheck // collect never fails
	slices.SortFunc(found, func(a, b Secret) int { return cmp.Compare(a.Path, b.Path) })
	return found
}

// HasSecrets reports whether anything in d stands for a secret.
func HasSecrets(d Data) bool { return len(Secrets(d)) > 0 }

// ReplaceSecrets returns a copy of d in which each secret is what replace answers for it. It ends at the first error, in
// the order of the keys.
func ReplaceSecrets(d Data, replace func(Secret) (any, error)) (Data, error) {
	out, err := replaceSecrets("$", map[string]any(d), replace)
	if err != nil {
		return nil, err
	}
	m, _ := asMap(out)
	return m, nil
}

func replaceSecrets(path string, v any, replace func(Secret) (any, error)) (any, error) {
	if s, ok := secretOf(v); ok && path != "$" {
		s.Path = path
		return replace(s)
	}
	if m, ok := asMap(v); ok {
		out := make(map[string]any, len(m))
		for _, k := range sortedKeys(m) {
			var err error
			if out[k], err = replaceSecrets(joinKey(path, k), m[k], replace); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if list, ok := v.([]any); ok {
		out := make([]any, len(list))
		for i, item := range list {
			var err error
			if out[i], err = replaceSecrets(joinIndex(path, i), item, replace); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// SecretRefs returns the references to secrets in d, sorted, each once.
func SecretRefs(d Data) []string {
	found := map[string]bool{}
	for _, s := range Secrets(d) {
		if s.Kind == Reference {
			found[s.Ref] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// SealedIDs returns the ids of the sealed values in d, sorted, each once.
func SealedIDs(d Data) []string {
	found := map[string]bool{}
	for _, s := range Secrets(d) {
		if s.Kind == Sealed {
			found[s.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func isSecret(v any) bool {
	_, ok := secretOf(v)
	return ok
}

// secretOf reads what stands for a secret; its Path is not set.
func secretOf(v any) (Secret, bool) {
	m, ok := asMap(v)
	if !ok {
		return Secret{}, false
	}
	switch len(m) {
	case 1:
		if ref, ok := m[SecretKey].(string); ok {
			return Secret{Kind: Reference, Ref: ref}, true
		}
		if id, ok := m[SealedKey].(string); ok {
			return Secret{Kind: Sealed, ID: id}, true
		}
	case 2:
		if value, ok := m["value"]; ok && m["type"] == "secret" {
			return Secret{Kind: Given, Value: value}, true
		}
	case 3:
		if s, ok := sopsOf(m); ok {
			return Secret{Kind: Encrypted, Sops: s}, true
		}
	}
	return Secret{}, false
}

func sopsOf(m map[string]any) (s Sops, ok bool) {
	cipher, isText := m[SopsKey].(string)
	at, hasPlace := m["at"].(string)
	keys, isList := m["keys"].([]any)
	if !isText || !hasPlace || !isList {
		return s, false
	}
	s.Cipher, s.At = cipher, at
	for _, k := range keys {
		text, ok := k.(string)
		if !ok {
			return s, false
		}
		s.Keys = append(s.Keys, text)
	}
	return s, true
}

// Provider returns who keeps what a reference names, and what of it: "vault" and "secret/payment#api_key".
func Provider(ref string) (provider, rest string) {
	provider, rest, _ = strings.Cut(ref, ":")
	return provider, rest
}

// secretMarks begin what stands for a secret, in canonical JSON.
var secretMarks = [][]byte{
	[]byte(`"` + SecretKey + `":`), []byte(`"` + SealedKey + `":`), []byte(`"` + SopsKey + `":`), []byte(`"type":"secret"`),
}

// MayHoldSecrets looks at canonical JSON without decoding it. False is certain; true may be text that looks like a secret.
func MayHoldSecrets(canonical []byte) bool {
	return slices.ContainsFunc(secretMarks, func(mark []byte) bool { return bytes.Contains(canonical, mark) })
}
