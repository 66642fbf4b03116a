package profile

import "slices"

// required are the names that an object surely has.
func (f facts) required() map[string]bool {
	out := map[string]bool{}
	for _, p := range f.parts {
		for _, name := range p.texts("required") {
			out[name] = true
		}
	}
	return out
}

func proveRequired(c *compat, at spot, known facts, want schemaNode) bool {
	ok, has := true, known.required()
	for _, name := range want.texts("required") {
		if !has[name] {
			ok = c.fail(at.at, "%s is required by %s and not by %s", shorten(name), c.narrow, c.wide)
		}
	}
	return ok
}

// under are the schemas that one object schema has for the property of a name.
func (n schemaNode) under(name string) (out []schemaNode) {
	if one, ok := n.named("properties")[name]; ok {
		out = append(out, one)
	}
	patterns := n.named("patternProperties")
	for _, p := range sortedKeys(patterns) {
		if n.doc.matches(p, name) {
			out = append(out, patterns[p])
		}
	}
	if len(out) == 0 && n.has("additionalProperties") {
		out = append(out, n.child("additionalProperties"))
	}
	return out
}

// under are the schemas that are known of the property of a name.
func (f facts) under(name string) (out []schemaNode) {
	for _, p := range f.parts {
		out = append(out, p.under(name)...)
	}
	return out
}

// names are those that one of the schemas speaks of.
func (f facts) names(want schemaNode) []string {
	all := map[string]bool{}
	for _, p := range append(slices.Clone(f.parts), want) {
		for name := range p.named("properties") {
			all[name] = true
		}
	}
	return sortedKeys(all)
}

// proveProperties proves the properties that want names.
func proveProperties(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	named := want.named("properties")
	for _, name := range sortedKeys(named) {
		if !c.property(joinKey(at.at, name), at.depth, name, known, named[name], true) {
			ok = false
		}
	}
	return ok
}

// property proves one of the schemas for the property of a name.
func (c *compat) property(path string, depth int, name string, known facts, want schemaNode, knows bool) bool {
	has := known.under(name)
	if want.trivial() || slices.ContainsFunc(has, func(n schemaNode) bool { return n.v == false }) {
		return true
	}
	if knows && !slices.ContainsFunc(has, func(n schemaNode) bool { return !n.trivial() }) && !known.describes(name) {
		return c.report(SchemaBreak{Path: path, OpenName: true, Message: "is described by " + c.narrow + ", and " + c.wide +
			" lets any value stand under a name that it does not know: data that has the name for something else would not be valid"})
	}
	return c.implies(path, depth+1, has, want)
}

// describes says that a schema which is known speaks of the property, or that none
// describes an object at all: then it is no name that was left open.
func (f facts) describes(name string) bool {
	described := false
	for _, p := range f.parts {
		_, has := p.named("properties")[name]
		if has {
			return true
		}
		described = described || p.has("properties")
	}
	return !described || f.required()[name]
}

// provePatterns proves the patterns of want: for the names that are spoken of each, for all others together.
func provePatterns(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	patterns := want.named("patternProperties")
	for _, pattern := range sortedKeys(patterns) {
		q, path := patterns[pattern], joinKey(at.at, pattern)
		for _, name := range known.names(want) {
			if q.doc.matches(pattern, name) && !c.property(path, at.depth, name, known, q, false) {
				ok = false
			}
		}
		if !c.othersMatching(path, at.depth, pattern, known, q) {
			ok = false
		}
	}
	return ok
}

// othersMatching proves what want has for names that match a pattern.
func (c *compat) othersMatching(path string, depth int, pattern string, known facts, q schemaNode) bool {
	var has []schemaNode
	for _, p := range known.parts {
		if one, ok := p.named("patternProperties")[pattern]; ok {
			has = append(has, one)
		}
	}
	if len(has) > 0 {
		return c.implies(path, depth+1, has, q)
	}
	return c.whicheverHolds(path, depth, known, q, nil)
}

// whicheverHolds proves what want has for names that nobody speaks of. Of each schema that is known one of several
// others holds for such a name: that of a pattern, or that of additional properties. Except are patterns whose names are
// not meant.
func (c *compat) whicheverHolds(path string, depth int, known facts, want schemaNode, except map[string]schemaNode) bool {
	var together []schemaNode
	var choices [][]schemaNode
	for _, p := range known.parts {
		options := []schemaNode{p.child("additionalProperties")}
		for pattern, one := range p.named("patternProperties") {
			if _, no := except[pattern]; !no {
				options = append(options, one)
			}
		}
		if len(options) == 1 {
			together = append(together, options[0])
		} else {
			choices = append(choices, options)
		}
	}
	for _, options := range choices {
		if c.quietly(func() bool {
			return !slices.ContainsFunc(options, func(one schemaNode) bool {
				return !c.implies(path, depth+1, append(slices.Clone(together), one), want)
			})
		}) {
			return true
		}
	}
	return c.implies(path, depth+1, together, want)
}

func proveAdditional(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	rest, patterns, named := want.child("additionalProperties"), want.named("patternProperties"), want.named("properties")
	if rest.trivial() {
		return true
	}
	for _, name := range known.names(want) {
		_, is := named[name]
		for pattern := range patterns {
			is = is || want.doc.matches(pattern, name)
		}
		if !is && !c.property(joinKey(joinKey(at.schema, "properties"), name), at.depth, name, known, rest, false) {
			ok = false
		}
	}
	return c.whicheverHolds(at.at, at.depth, known, rest, patterns) && ok
}

func proveNames(c *compat, at spot, known facts, want schemaNode) bool {
	has := []schemaNode{onlyStrings()}
	for _, p := range known.parts {
		has = append(has, p.child("propertyNames"))
	}
	return c.implies(at.at, at.depth+1, has, want.child("propertyNames"))
}

func proveDependentRequired(c *compat, at spot, known facts, want schemaNode) bool {
	ok, has := true, known.required()
	needs, _ := want.get("dependentRequired").(map[string]any)
	for _, name := range sortedKeys(needs) {
		list := schemaNode{v: map[string]any{"required": needs[name]}}.texts("required")
		for _, needed := range list {
			needs := has[needed] || needed == name || slices.ContainsFunc(known.parts, func(p schemaNode) bool {
				m, _ := p.get("dependentRequired").(map[string]any)
				return slices.Contains(schemaNode{v: map[string]any{"required": m[name]}}.texts("required"), needed)
			})
			if !needs {
				ok = c.fail(joinKey(at.at, name), "%s is required with %s by %s and not by %s", shorten(needed), shorten(name), c.narrow, c.wide)
			}
		}
	}
	return ok
}

func proveDependentSchemas(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	needs := want.named("dependentSchemas")
	for _, name := range sortedKeys(needs) {
		has := slices.Clone(known.parts)
		for _, p := range known.parts {
			if one, also := p.named("dependentSchemas")[name]; also {
				has = append(has, one)
			}
		}
		if !c.implies(joinKey(at.at, name), at.depth, has, needs[name]) {
			ok = false
		}
	}
	return ok
}
