package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// renderEnv writes NAME=value lines, sorted by name.
//
// Names are the keys from the root on, joined by an underscore, in upper snake case: maxRetries
// below httpClient is HTTP_CLIENT_MAX_RETRIES. What is no letter or digit of ASCII becomes an
// underscore, and a name that would begin with a digit gets one in front. Two keys that make the
// same name are an error. Values: strings as they are, numbers and booleans as in JSON, null empty;
// an array of scalars is joined by commas, any other (and one with a comma in an element) is JSON;
// an empty object gives no line. A value of more than plain characters stands in double quotes with
// a backslash before \ " $ and `, as shells, systemd and dotenv readers take it.
func renderEnv(data map[string]any) ([]byte, error) {
	vars := map[string]string{}
	from := map[string]string{}
	if err := flatten(vars, from, data, "", "$"); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "%s=%s\n", name, quoteEnv(vars[name]))
	}
	return b.Bytes(), nil
}

func flatten(vars, from map[string]string, m map[string]any, prefix, path string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		name, at := prefix+snake(key), path+"."+key
		if sub, ok := m[key].(map[string]any); ok {
			if err := flatten(vars, from, sub, name+"_", at); err != nil {
				return err
			}
			continue
		}
		if name == "" || (name[0] >= '0' && name[0] <= '9') {
			name = "_" + name
		}
		if other, taken := from[name]; taken {
			return fmt.Errorf("%s and %s are both named %s", other, at, name)
		}
		value, err := envValue(m[key])
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("%s: a NUL character cannot be written", at)
		}
		vars[name], from[name] = value, at
	}
	return nil
}

// snake turns maxRetries, max-retries and HTTPPort into MAX_RETRIES and HTTP_PORT.
func snake(key string) string {
	var b strings.Builder
	runes := []rune(key)
	for i, r := range runes {
		if r >= unicode.MaxASCII || (!unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			b.WriteByte('_')
			continue
		}
		if i > 0 && unicode.IsUpper(r) {
			before := runes[i-1]
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(before) || unicode.IsDigit(before) || (unicode.IsUpper(before) && next) {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func envValue(v any) (string, error) {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			switch item.(type) {
			case []any, map[string]any:
				return compact(v)
			}
			parts[i] = scalar(item)
			if strings.Contains(parts[i], ",") {
				return compact(v)
			}
		}
		return strings.Join(parts, ","), nil
	default:
		return scalar(v), nil
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func compact(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

var plainEnv = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

var escapeEnv = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")

func quoteEnv(v string) string {
	if plainEnv.MatchString(v) {
		return v
	}
	return `"` + escapeEnv.Replace(v) + `"`
}
