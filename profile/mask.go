package profile

import (
	"maps"
	"slices"
	"strings"
)

// Masked is what stands for a secret wherever people can see it.
const Masked = "***"

// SecretKey is the key of a reference to a secret: {$secret: "vault:path#key"}.
const SecretKey = "$secret"

// Mask returns a copy of d with every secret as "***": references, {"type": "secret", "value": ...} values, and
// strings under keys that name a secret (password, apiKey, ...).
func Mask(d Data) Data {
	if d == nil {
		return nil
	}
	out := make(Data, len(d))
	for k, v := range d {
		out[k] = maskValue(k, v)
	}
	return out
}

func maskValue(key string, v any) any {
	if isSecret(v) {
		return Masked
	}
	switch v := v.(type) {
	case string:
		if secretName(key) && v != "" {
			return Masked
		}
	case map[string]any, Data:
		m, _ := asMap(v)
		return map[string]any(Mask(m))
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = maskValue(key, item)
		}
		return out
	}
	return v
}

// SecretRefs returns the references to secrets in d, sorted, each once.
func SecretRefs(d Data) []string {
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		if ref, ok := secretRef(v); ok {
			found[ref] = true
			return
		}
		switch v := v.(type) {
		case map[string]any, Data:
			m, _ := asMap(v)
			for _, item := range m {
				walk(item)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(map[string]any(d))
	return slices.Sorted(maps.Keys(found))
}

// asMap reads a map of either type, so that no secret hides in a Data inside a Data.
func asMap(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case Data:
		return v, true
	}
	return nil, false
}

func isSecret(v any) bool {
	if _, ok := secretRef(v); ok {
		return true
	}
	m, ok := asMap(v)
	if !ok || len(m) != 2 || m["type"] != "secret" {
		return false
	}
	_, ok = m["value"]
	return ok
}

func secretRef(v any) (string, bool) {
	m, ok := asMap(v)
	if !ok || len(m) != 1 {
		return "", false
	}
	ref, ok := m[SecretKey].(string)
	return ref, ok
}

var secretEndings = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey",
	"credential", "credentials", "passwords", "secrets", "tokens", "apikeys",
}

// secretName reports whether a key names a secret: dbPassword, API_KEY, auth-token.
func secretName(key string) bool {
	k := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(key))
	return slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(k, end) })
}
