package profile

import (
	"math/big"
	"slices"
)

// item is the schema that one array schema has for the item at an index.
func (n schemaNode) item(i int) schemaNode {
	if prefix := n.list("prefixItems"); i < len(prefix) {
		return prefix[i]
	}
	return n.child("items")
}

func (f facts) item(i int) (out []schemaNode) {
	for _, p := range f.parts {
		out = append(out, p.item(i))
	}
	return out
}

// places is how many items come before those that are all alike.
func (f facts) places(want schemaNode) int {
	n := len(want.list("prefixItems"))
	for _, p := range f.parts {
		n = max(n, len(p.list("prefixItems")))
	}
	return n
}

func (f facts) atMost(n int) bool {
	return f.most("maxItems").tighter(&limit{at: big.NewRat(int64(n), 1)}, -1)
}

func provePrefix(c *compat, at spot, known facts, want schemaNode) bool {
	ok := true
	for i, one := range want.list("prefixItems") {
		if known.atMost(i) {
			break
		}
		if !c.implies(indexed(at.at, i), at.depth+1, known.item(i), one) {
			ok = false
		}
	}
	return ok
}

func proveItems(c *compat, at spot, known facts, want schemaNode) bool {
	ok, rest := true, want.child("items")
	n := known.places(want)
	for i := len(want.list("prefixItems")); i < n && !known.atMost(i); i++ {
		if !c.implies(indexed(at.at, i), at.depth+1, known.item(i), rest) {
			ok = false
		}
	}
	if known.atMost(n) {
		return ok
	}
	return c.implies(at.at, at.depth+1, known.item(n), rest) && ok
}

// proveContains proves that enough items fit, and not too many.
func proveContains(c *compat, at spot, known facts, want schemaNode) bool {
	least, most := big.NewRat(1, 1), want.number("maxContains")
	if n := want.number("minContains"); n != nil {
		least = n
	}
	enough, notMore := least.Sign() <= 0, most == nil || known.most("maxItems").tighter(&limit{at: most}, -1)
	wanted := want.child("contains")
	for _, p := range known.parts {
		if !p.has("contains") {
			continue
		}
		has := p.child("contains")
		n := big.NewRat(1, 1)
		if m := p.number("minContains"); m != nil {
			n = m
		}
		enough = enough || n.Cmp(least) >= 0 && c.quietly(func() bool { return c.implies(at.at, at.depth+1, []schemaNode{has}, wanted) })
		if m := p.number("maxContains"); m != nil && !notMore {
			notMore = m.Cmp(most) <= 0 && c.quietly(func() bool { return c.implies(at.at, at.depth+1, []schemaNode{wanted}, has) })
		}
	}
	if enough && notMore {
		return true
	}
	return c.fail(at.at, "%s asks for items, or for how many there are, that %s does not", c.narrow, c.wide)
}

// disjoint says that no value is surely valid under both.
func (c *compat) disjoint(known []schemaNode, other schemaNode, depth int) bool {
	if c.steps++; c.steps > maxCompatSteps {
		return false
	}
	a, b := takeApart(known), takeApart([]schemaNode{other})
	if a.none || b.none || a.types()&b.types() == 0 {
		return true
	}
	if values, few := a.values(); few && !slices.ContainsFunc(values, func(v any) bool { return !other.surelyNot(v) }) {
		return true
	}
	if values, few := b.values(); few && !slices.ContainsFunc(values, func(v any) bool {
		return !slices.ContainsFunc(a.parts, func(p schemaNode) bool { return p.surelyNot(v) })
	}) {
		return true
	}
	if depth >= maxTypeDepth || a.types()&b.types() != objectType {
		return false
	}
	also := b.required()
	for name := range a.required() {
		if also[name] {
			for _, one := range b.under(name) {
				if c.disjoint(a.under(name), one, depth+1) {
					return true
				}
			}
		}
	}
	return false
}
