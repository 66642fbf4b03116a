package profile

import (
	"slices"
	"strings"
)

// Masked is what stands for a secret wherever people can see it.
const Masked = "***"

// Mask returns a copy of d with every secret as "***": references, sealed and encrypted values, {"type": "secret",
// "value": ...} values, and strings under keys that name a secret (password, apiKey, ...).
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

var secretEndings = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey",
	"credential", "credentials", "passwords", "secrets", "tokens", "apikeys",
}

var withoutMarks = strings.NewReplacer("-", "", "_", "", ".", "")

// secretName reports whether a key names a secret: dbPassword, API_KEY, auth-token.
func secretName(key string) bool {
	k := strings.ToLower(withoutMarks.Replace(key))
	return slices.ContainsFunc(secretEndings, func(end string) bool { return strings.HasSuffix(k, end) })
}
