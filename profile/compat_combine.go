package profile

import "slices"

func proveRef(c *compat, at spot, known facts, want schemaNode) bool {
	to, ok := want.target()
	if !ok {
		return c.fail(at.at, "leads to nothing that is known here: whether data stays valid cannot be told")
	}
	return c.implies(at.at, at.depth, known.parts, to)
}

func proveAllOf(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	for i, one := range want.list("allOf") {
		if !c.implies(indexed(at.at, i), at.depth, known.parts, one) {
			ok = false
		}
	}
	return ok
}

func proveAnyOf(c *compat, at spot, known facts, want schemaNode) bool {
	fits := func(parts []schemaNode) bool {
		return slices.ContainsFunc(want.list("anyOf"), func(one schemaNode) bool {
			return c.quietly(func() bool { return c.implies(at.at, at.depth, parts, one) })
		})
	}
	if fits(known.parts) {
		return true
	}
	each := known.types().each() // the values of one type may fit one alternative, and those of another one another
	if len(each) > 1 && !slices.ContainsFunc(each, func(one schemaNode) bool { return !fits(append(slices.Clone(known.parts), one)) }) {
		return true
	}
	return c.fail(at.at, "not all that %s allows surely fits one of the alternatives of %s", c.wide, c.narrow)
}

func proveOneOf(c *compat, at spot, known facts, want schemaNode) bool {
	cases := want.list("oneOf")
	for i, one := range cases {
		if !c.quietly(func() bool { return c.implies(at.at, at.depth, known.parts, one) }) {
			continue
		}
		others := slices.Delete(slices.Clone(cases), i, i+1)
		if !slices.ContainsFunc(others, func(o schemaNode) bool { return !c.disjoint(known.parts, o, 0) }) {
			return true
		}
	}
	return c.fail(at.at, "not all that %s allows surely fits exactly one of the alternatives of %s", c.wide, c.narrow)
}

func proveNot(c *compat, at spot, known facts, want schemaNode) bool {
	no := want.child("not")
	if c.disjoint(known.parts, no, 0) {
		return true
	}
	for _, p := range known.parts {
		if p.has("not") && c.quietly(func() bool { return c.implies(at.at, at.depth, []schemaNode{no}, p.child("not")) }) {
			return true
		}
	}
	return c.fail(at.at, "%s excludes what %s allows", c.narrow, c.wide)
}

// proveIf proves what a condition asks for, also from conditions that are the same.
func proveIf(c *compat, at spot, known facts, want schemaNode) bool {
	condition := want.child("if")
	met := append(slices.Clone(known.parts), condition)
	unmet := slices.Clone(known.parts)
	for _, p := range known.parts {
		if p.has("if") && c.same(p.child("if"), condition) {
			met = append(met, p.child("then"))
			unmet = append(unmet, p.child("else"))
		}
	}
	ok := c.disjoint(known.parts, condition, 0) || c.implies(joinKey(at.schema, "then"), at.depth, met, want.child("then"))
	if c.quietly(func() bool { return c.implies(at.at, at.depth, known.parts, condition) }) {
		return ok
	}
	return c.implies(joinKey(at.schema, "else"), at.depth, unmet, want.child("else")) && ok
}
