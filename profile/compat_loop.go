package profile

import "strconv"

// loops says that a schema of the document refers to itself without going deeper into the data: no data is valid
// under it, because the validator would never end.
func (d *schemaDoc) loops() bool {
	return (&loopFinder{doc: d, state: map[string]int{}}).within(schemaNode{doc: d, v: d.root})
}

type loopFinder struct {
	doc   *schemaDoc
	state map[string]int // by pointer: 1 while its own is looked at, 2 when it is done
}

// within looks at every schema of a part of the document, those that are never used too.
func (l *loopFinder) within(n schemaNode) bool {
	if l.inPlace(n) {
		return true
	}
	switch v := n.v.(type) {
	case map[string]any:
		for k, item := range v {
			if l.within(schemaNode{doc: l.doc, ptr: n.ptr + "/" + escapePointer(k), v: item}) {
				return true
			}
		}
	case []any:
		for i, item := range v {
			if l.within(schemaNode{doc: l.doc, ptr: n.ptr + "/" + strconv.Itoa(i), v: item}) {
				return true
			}
		}
	}
	return false
}

// inPlace follows what a schema applies to the same value.
func (l *loopFinder) inPlace(n schemaNode) bool {
	if _, isMap := n.v.(map[string]any); !isMap || l.state[n.ptr] == 2 {
		return false
	}
	if l.state[n.ptr] == 1 {
		return true
	}
	l.state[n.ptr] = 1
	defer func() { l.state[n.ptr] = 2 }()
	var next []schemaNode
	if to, ok := n.target(); ok {
		next = append(next, to)
	}
	for _, word := range []string{"not", "if", "then", "else"} {
		next = append(next, n.child(word))
	}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		next = append(next, n.list(word)...)
	}
	for _, one := range n.named("dependentSchemas") {
		next = append(next, one)
	}
	for _, one := range next {
		if one.doc == l.doc && l.inPlace(one) {
			return true
		}
	}
	return false
}
