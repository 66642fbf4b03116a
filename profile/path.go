package profile

import (
	"regexp"
	"strconv"
	"strings"
)

// joinKey appends a key to a JSON path: $.a, or $["a.b"] when the key is no plain word.
func joinKey(path, key string) string {
	if plainKey(key) {
		return path + "." + key
	}
	return path + "[" + strconv.Quote(key) + "]"
}

// plainKey says that a key is of letters, digits, '_', '$' and '-', and starts with none of digits and '-'.
func plainKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '$':
		case i > 0 && ('0' <= c && c <= '9' || c == '-'):
		default:
			return false
		}
	}
	return key != ""
}

func joinIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

var trailingIndexes = regexp.MustCompile(`(\[[0-9]+\])+$`)

// lastKey returns the last key of a JSON path, whatever indexes follow it.
func lastKey(path string) string {
	path = trailingIndexes.ReplaceAllString(path, "")
	if quoted, ok := strings.CutSuffix(path, "]"); ok {
		// Quotes inside a quoted key are escaped, so this is the start of the last one.
		key, err := strconv.Unquote(quoted[strings.LastIndex(quoted, `["`)+1:])
		if err != nil {
			return path
		}
		return key
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// typeName returns the JSON type of a value, as people read it. A secret counts as the string that it stands for.
func typeName(v any) string {
	if isSecret(v) {
		return "string"
	}
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case map[string]any, Data:
		return "object"
	case []any:
		return "array"
	}
	return "number"
}

// Nearest returns the known word that name was probably meant to be, or "".
func Nearest(name string, known []string) string {
	best, distance := "", 3
	if len(name) > 64 {
		return ""
	}
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance && d < (len(k)+1)/2 {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts single-character edits, a swap of neighbours as one.
func editDistance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
