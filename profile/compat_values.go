package profile

import (
	"math/big"
	"slices"
)

func proveType(c *compat, at spot, known facts, want schemaNode) bool {
	more := known.types() &^ typesNamed(want.get("type"))
	if more == 0 {
		return true
	}
	if more == fractionType {
		return c.fail(at.at, "numbers that are not whole are allowed by %s and not by %s", c.wide, c.narrow)
	}
	if more == allTypes&^typesNamed(want.get("type")) && known.types() == allTypes {
		return c.fail(at.at, "any type is allowed by %s, only %s by %s", c.wide, typesNamed(want.get("type")), c.narrow)
	}
	return c.fail(at.at, "type %s is allowed by %s and not by %s", more, c.wide, c.narrow)
}

// proveValues is for a const or enum when it is not known that there are only few values.
func proveValues(c *compat, at spot, _ facts, want schemaNode) bool {
	values, _ := want.values()
	return c.fail(at.at, "%s allows only the values of a list, %s others too: %s", c.narrow, c.wide, shorten(string(canonicalValue(values))))
}

// limit is a bound of a number.
type limit struct {
	at     *big.Rat
	strict bool // the bound itself is not allowed
}

// text writes the bound as a person would.
func (l *limit) text() string {
	if l == nil {
		return "no bound"
	}
	s, _ := l.at.Float64()
	out := string(canonicalValue(s))
	if l.strict {
		return out + " (exclusive)"
	}
	return out
}

// tighter says that l leaves no more than other. Sign is 1 for a lower bound, -1 for an upper one.
func (l *limit) tighter(other *limit, sign int) bool {
	if l == nil || other == nil {
		return other == nil
	}
	d := sign * l.at.Cmp(other.at)
	return d > 0 || d == 0 && (l.strict || !other.strict)
}

// limit is the tightest bound that is known.
func (f facts) limit(sign int) *limit {
	var best *limit
	for _, p := range f.parts {
		if l := p.limit(sign); l != nil && !best.tighter(l, sign) {
			best = l
		}
	}
	if best != nil && f.types()&fractionType == 0 {
		return best.whole(sign)
	}
	return best
}

func (n schemaNode) limit(sign int) *limit {
	inclusive, exclusive := "minimum", "exclusiveMinimum"
	if sign < 0 {
		inclusive, exclusive = "maximum", "exclusiveMaximum"
	}
	var out *limit
	if v := n.number(inclusive); v != nil {
		out = &limit{at: v}
	}
	if v := n.number(exclusive); v != nil {
		if l := (&limit{at: v, strict: true}); l.tighter(out, sign) {
			out = l
		}
	}
	return out
}

// maxWhole is the length of the numbers, in bits, that are rounded: an exponent can make one long.
const maxWhole = 256

// whole is the bound of the whole numbers within the bound.
func (l *limit) whole(sign int) *limit {
	if l.at.Num().BitLen() > maxWhole || l.at.Denom().BitLen() > maxWhole {
		return l
	}
	floor := new(big.Int).Div(l.at.Num(), l.at.Denom()) // Euclidean, and the denominator is positive
	exact := l.at.IsInt()
	switch {
	case sign > 0 && (!exact || l.strict):
		floor.Add(floor, big.NewInt(1))
	case sign < 0 && exact && l.strict:
		floor.Sub(floor, big.NewInt(1))
	}
	return &limit{at: new(big.Rat).SetInt(floor)}
}

func proveLower(c *compat, at spot, known facts, want schemaNode) bool {
	return c.proveLimit(at, known, want, 1)
}

func proveUpper(c *compat, at spot, known facts, want schemaNode) bool {
	return c.proveLimit(at, known, want, -1)
}

func (c *compat) proveLimit(at spot, known facts, want schemaNode, sign int) bool {
	key := at.at[len(at.schema)+1:]
	wanted := &limit{at: want.number(key), strict: key == "exclusiveMinimum" || key == "exclusiveMaximum"}
	if wanted.at == nil {
		return proveUnknown(c, at, known, want)
	}
	if have := known.limit(sign); have == nil || !have.tighter(wanted, sign) {
		return c.fail(at.at, "%s is %s in %s, %s in %s", key, wanted.text(), c.narrow, have.text(), c.wide)
	}
	return true
}

func proveMultiple(c *compat, at spot, known facts, want schemaNode) bool {
	m := want.number("multipleOf")
	if m == nil || m.Sign() <= 0 {
		return proveUnknown(c, at, known, want)
	}
	divides := func(n *big.Rat) bool {
		return n != nil && n.Sign() > 0 && max(n.Num().BitLen(), n.Denom().BitLen(), m.Num().BitLen(), m.Denom().BitLen()) <= maxWhole &&
			new(big.Rat).Quo(n, m).IsInt()
	}
	if known.types()&fractionType == 0 && divides(big.NewRat(1, 1)) {
		return true
	}
	if slices.ContainsFunc(known.parts, func(p schemaNode) bool { return divides(p.number("multipleOf")) }) {
		return true
	}
	return c.fail(at.at, "only multiples of a number are allowed by %s, others too by %s", c.narrow, c.wide)
}

func proveLeast(c *compat, at spot, known facts, want schemaNode) bool {
	key := at.at[len(at.schema)+1:]
	wanted := want.number(key)
	if wanted == nil {
		return proveUnknown(c, at, known, want)
	}
	have := new(big.Rat)
	if key == "minProperties" {
		have.SetInt64(int64(len(known.required())))
	}
	for _, p := range known.parts {
		if n := p.number(key); n != nil && n.Cmp(have) > 0 {
			have = n
		}
	}
	if have.Cmp(wanted) >= 0 {
		return true
	}
	return c.fail(at.at, "%s is %s in %s, %s in %s", key, (&limit{at: wanted}).text(), c.narrow, (&limit{at: have}).text(), c.wide)
}

func proveMost(c *compat, at spot, known facts, want schemaNode) bool {
	key := at.at[len(at.schema)+1:]
	wanted := want.number(key)
	if wanted == nil {
		return proveUnknown(c, at, known, want)
	}
	have := known.most(key)
	if have.tighter(&limit{at: wanted}, -1) {
		return true
	}
	return c.fail(at.at, "%s is %s in %s, %s in %s", key, (&limit{at: wanted}).text(), c.narrow, have.text(), c.wide)
}

// most is the smallest upper bound of a length that is known; nil without one.
func (f facts) most(key string) *limit {
	var best *limit
	for _, p := range f.parts {
		if n := p.number(key); n != nil {
			if l := (&limit{at: n}); l.tighter(best, -1) {
				best = l
			}
		}
	}
	return best
}

func proveSameText(c *compat, at spot, known facts, want schemaNode) bool {
	key := at.at[len(at.schema)+1:]
	for _, p := range known.parts {
		if p.has(key) && equalValues(p.get(key), want.get(key)) {
			return true
		}
	}
	return c.fail(at.at, "%s %s is not asked for by %s: whether all of its data fits cannot be told", key, shorten(string(canonicalValue(want.get(key)))), c.wide)
}

func proveUnique(c *compat, at spot, known facts, want schemaNode) bool {
	if want.get("uniqueItems") != true || slices.ContainsFunc(known.parts, func(p schemaNode) bool { return p.get("uniqueItems") == true }) {
		return true
	}
	if known.most("maxItems").tighter(&limit{at: big.NewRat(1, 1)}, -1) {
		return true
	}
	return c.fail(at.at, "items that are the same are allowed by %s and not by %s", c.wide, c.narrow)
}
