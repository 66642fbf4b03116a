package profile

import (
	"encoding/json"
	"strconv"
)

// place is where a value was written.
type place struct {
	path         string
	line, column int32 // small: there are as many places as values
}

func (p place) problem(field, message string) Problem {
	return Problem{Path: p.path, Line: int(p.line), Column: int(p.column), Field: field, Message: message, Severity: Error}
}

type treeKind uint8

const (
	scalarTree treeKind = iota
	mapTree
	listTree
)

// tree is a JSON value that remembers where each part was written. A tree is never changed once it was built, so merged
// trees share their parts.
type tree struct {
	at     place
	scalar any // string, bool, nil or json.Number
	fields map[string]field
	keys   []string // of fields, in the order of the file
	items  []*tree
	size   int // values in it, itself included
	kind   treeKind
	made   bool // a secret that this package put together: nobody wrote its keys
}

type field struct {
	at    place // of the key
	value *tree
}

func (t *tree) isNull() bool { return t.kind == scalarTree && t.scalar == nil }

// value returns the plain value.
func (t *tree) value() any {
	switch t.kind {
	case mapTree:
		m := make(map[string]any, len(t.fields))
		for k, f := range t.fields {
			m[k] = f.value.value()
		}
		return m
	case listTree:
		list := make([]any, len(t.items))
		for i, item := range t.items {
			list[i] = item.value()
		}
		return list
	}
	return t.scalar
}

// typeName is the JSON type as people read it.
func (t *tree) typeName() string {
	switch t.kind {
	case mapTree:
		return "object"
	case listTree:
		return "array"
	}
	switch t.scalar.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	}
	return "string"
}

// find returns the place of the value at keys, or of the deepest part of the way that exists.
func (t *tree) find(keys []string) place {
	at := t.at
	for _, k := range keys {
		switch t.kind {
		case mapTree:
			f, ok := t.fields[k]
			if !ok {
				return at
			}
			t, at = f.value, f.value.at
		case listTree:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(t.items) {
				return at
			}
			t, at = t.items[i], t.items[i].at
		default:
			return at
		}
	}
	return at
}

// findKey is find, but the place of the last key itself rather than of its value.
func (t *tree) findKey(keys []string) place {
	if len(keys) == 0 {
		return t.at
	}
	parent := t
	for _, k := range keys[:len(keys)-1] {
		switch parent.kind {
		case mapTree:
			f, ok := parent.fields[k]
			if !ok {
				return parent.at
			}
			parent = f.value
		case listTree:
			i, err := strconv.Atoi(k)
			if err != nil || i < 0 || i >= len(parent.items) {
				return parent.at
			}
			parent = parent.items[i]
		default:
			return parent.at
		}
	}
	if f, ok := parent.fields[keys[len(keys)-1]]; ok {
		return f.at
	}
	return t.find(keys)
}

// overlay returns upper merged over lower: maps merge key by key, everything else replaces, and a null removes the key.
// A nil lower is an empty map, so that an upper's nulls never remain.
func overlay(lower, upper *tree) *tree {
	if upper.kind != mapTree || upper.secret() {
		return upper
	}
	if lower != nil && lower.secret() {
		lower = nil // two halves of secrets would be none
	}
	out := &tree{at: upper.at, kind: mapTree, fields: map[string]field{}, size: 1}
	if lower != nil && lower.kind == mapTree {
		for _, k := range lower.keys {
			if _, over := upper.fields[k]; !over {
				out.put(k, lower.fields[k])
			}
		}
	}
	for _, k := range upper.keys {
		f := upper.fields[k]
		if f.value.isNull() {
			continue
		}
		var below *tree
		if lower != nil && lower.kind == mapTree {
			below = lower.fields[k].value
		}
		out.put(k, field{at: f.at, value: overlay(below, f.value)})
	}
	return out
}

// secret reports whether a map stands for one value that is kept elsewhere.
func (t *tree) secret() bool {
	if t.kind != mapTree {
		return false
	}
	_, isRef := t.fields[SecretKey]
	return isRef || t.made
}

func (t *tree) put(key string, f field) {
	t.fields[key] = f
	t.keys = append(t.keys, key)
	t.size += f.value.size
}
