package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/profile"
)

// leaf is one value of a profile's data that holds no others: a text, a number, true or false, null,
// or an empty object or list.
type leaf struct {
	path  []any // keys, and the indexes of lists
	value any
}

// leaves are all of them, in the order of their keys.
func leaves(data profile.Data) []leaf {
	var all []leaf
	gather(nil, map[string]any(data), &all)
	if len(data) == 0 {
		return nil
	}
	return all
}

func gather(path []any, value any, into *[]leaf) {
	below := func(step any, value any) { gather(append(slices.Clip(path), step), value, into) }
	switch v := value.(type) {
	case profile.Data:
		gather(path, map[string]any(v), into)
		return
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below(key, v[key])
		}
		if len(v) > 0 {
			return
		}
	case []any:
		for i, item := range v {
			below(i, item)
		}
		if len(v) > 0 {
			return
		}
	}
	*into = append(*into, leaf{path, value})
}

// slashed is the leaf's place as a path: a/hosts/0. A slash within a key is %2F.
func (l leaf) slashed() string {
	parts := make([]string, len(l.path))
	for i, step := range l.path {
		parts[i] = strings.ReplaceAll(fmt.Sprint(step), "/", "%2F")
	}
	return strings.Join(parts, "/")
}

// dotted is the leaf's place as a property: a.hosts[0].
func (l leaf) dotted() string {
	var b strings.Builder
	for _, step := range l.path {
		switch s := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(s) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
}

// text is the value for clients that know texts alone: a text as it is, nothing for null, and
// whatever else as in JSON.
func (l leaf) text() string {
	switch v := l.value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return string(asJSON(l.value))
}

// property is the value where an empty list is nothing, as it is in properties.
func (l leaf) property() string {
	if _, empty := l.value.([]any); empty {
		return ""
	}
	return l.text()
}
