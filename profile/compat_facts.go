package profile

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// facts are what is known of a value: schemas that all hold.
type facts struct {
	parts []schemaNode // references and allOf taken apart
	none  bool         // no value is valid under all of them
}

// takeApart takes references and allOf apart.
func takeApart(known []schemaNode) facts {
	var f facts
	seen := map[nodePlace]bool{}
	var add func(n schemaNode)
	add = func(n schemaNode) {
		if n.v == false {
			f.none = true
		}
		if _, isMap := n.v.(map[string]any); !isMap || seen[n.place()] {
			return
		}
		seen[n.place()] = true
		f.parts = append(f.parts, n)
		if to, ok := n.target(); ok {
			add(to)
		}
		for _, one := range n.list("allOf") {
			add(one)
		}
	}
	for _, split := range []bool{true, false} { // whose alternatives are being tried must not come in again by a reference
		for _, n := range known {
			if (n.split != "") == split {
				add(n)
			}
		}
	}
	return f
}

func (f facts) key() string {
	keys := make([]string, len(f.parts))
	for i, p := range f.parts {
		keys[i] = p.key()
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// typeSet are types of JSON; numbers are told apart by whether they are whole.
type typeSet uint8

const (
	nullType typeSet = 1 << iota
	booleanType
	stringType
	arrayType
	objectType
	integerType
	fractionType

	numberTypes = integerType | fractionType
	allTypes    = nullType | booleanType | stringType | arrayType | objectType | numberTypes
)

var typeNames = []struct {
	name string
	set  typeSet
}{
	{"null", nullType}, {"boolean", booleanType}, {"string", stringType}, {"array", arrayType}, {"object", objectType},
	{"integer", integerType}, {"number", numberTypes},
}

// String lists the types by name; those numbers that are not whole are told as number.
func (t typeSet) String() string {
	var out []string
	for _, n := range typeNames {
		if n.set == integerType && t&fractionType != 0 {
			continue
		}
		if t&n.set != 0 {
			out = append(out, n.name)
		}
	}
	return names(out)
}

// each are schemas of one type each that together have every value of the types.
func (t typeSet) each() (out []schemaNode) {
	for _, n := range typeNames {
		if n.set == integerType && t&fractionType != 0 || t&n.set == 0 || n.set == numberTypes && t&fractionType == 0 {
			continue
		}
		v := map[string]any{"type": n.name}
		out = append(out, schemaNode{doc: &schemaDoc{root: v}, v: v})
	}
	return out
}

func typesNamed(v any) (t typeSet) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		for _, n := range typeNames {
			if item == n.name {
				t |= n.set
			}
		}
	}
	return t
}

func typeOf(v any) typeSet {
	switch v := v.(type) {
	case nil:
		return nullType
	case bool:
		return booleanType
	case string:
		return stringType
	case []any:
		return arrayType
	case map[string]any:
		return objectType
	default:
		if r := ratOf(v); r != nil && r.IsInt() {
			return integerType
		}
		return fractionType
	}
}

// types are those that the value can have.
func (f facts) types() typeSet {
	t := allTypes
	for _, p := range f.parts {
		t &= p.types(0)
	}
	return t
}

// maxTypeDepth bounds how far alternatives are followed for the types alone.
const maxTypeDepth = 8

func (n schemaNode) types(depth int) typeSet {
	key := typesKey{n.ptr, depth}
	t, known := n.doc.types[key]
	if !known {
		if n.doc.types == nil {
			n.doc.types = map[typesKey]typeSet{}
		}
		t = n.typesOf(depth)
		n.doc.types[key] = t
	}
	return t
}

type typesKey struct {
	ptr   string
	depth int
}

func (n schemaNode) typesOf(depth int) typeSet {
	obj, isMap := n.v.(map[string]any)
	if n.v == false {
		return 0
	}
	if !isMap || depth > maxTypeDepth {
		return allTypes
	}
	t := allTypes
	if v, ok := obj["type"]; ok {
		t &= typesNamed(v)
	}
	if values, ok := n.values(); ok {
		var of typeSet
		for _, v := range values {
			of |= typeOf(v)
		}
		t &= of
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if cases := n.list(word); len(cases) > 0 {
			var any typeSet
			for _, one := range cases {
				any |= one.types(depth + 1)
			}
			t &= any
		}
	}
	for _, one := range n.list("allOf") {
		t &= one.types(depth + 1)
	}
	if to, ok := n.target(); ok {
		t &= to.types(depth + 1)
	}
	return t
}

// values are those of the schema's own const or enum.
func (n schemaNode) values() ([]any, bool) {
	if n.has("const") {
		return []any{n.get("const")}, true
	}
	values, ok := n.get("enum").([]any)
	return values, ok
}

// values are all that are valid, when they are few.
func (f facts) values() (out []any, few bool) {
	for _, p := range f.parts {
		if values, ok := p.values(); ok && (!few || len(values) < len(out)) {
			out, few = values, true
		}
	}
	if !few {
		if t := f.types(); t&^(nullType|booleanType) == 0 {
			few = true
			if t&nullType != 0 {
				out = append(out, nil)
			}
			if t&booleanType != 0 {
				out = append(out, false, true)
			}
		}
	}
	var valid []any
	for _, v := range out {
		if !slices.ContainsFunc(f.parts, func(p schemaNode) bool { return p.surelyNot(v) }) {
			valid = append(valid, v)
		}
	}
	return valid, few
}

// surelyNot says that a value is not valid under the schema.
func (n schemaNode) surelyNot(value any) bool {
	s := n.doc.compiled(n.ptr)
	if s == nil || checkCost(s, value) != nil {
		return false
	}
	return (&Schema{compiled: s}).run(value) != nil
}

func ratOf(v any) *big.Rat {
	text, ok := numberText(v)
	if !ok || checkNumber(text) != nil {
		return nil
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return r
}

// number is the number under a keyword; nil without one.
func (n schemaNode) number(key string) *big.Rat {
	if _, ok := n.get(key).(json.Number); !ok {
		return nil
	}
	return ratOf(n.get(key))
}
