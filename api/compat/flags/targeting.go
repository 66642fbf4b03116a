package flags

import (
	"math"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// The operators that flagd has beside those of JSON Logic. One that is used wrongly gives nil, so that
// the default holds, as in flagd.

// fractional gives out variants by share: [what to draw by, [variant, weight], ...]. Without the
// first it draws by the flag and the context's targetingKey, so that a user may be in on one flag and
// out on the next.
func fractional(args []any, seen map[string]any) any {
	by, ok := firstText(args)
	switch {
	case ok:
		args = args[1:]
	case len(args) > 0 && args[0] == nil:
		args = args[1:]
	}
	if !ok {
		target, known := seen["targetingKey"].(string)
		if !known || target == "" {
			return nil
		}
		flagd, _ := seen["$flagd"].(map[string]any)
		by = text(flagd["flagKey"]) + target
	}
	shares, total, ok := sharesOf(args)
	if !ok || total == 0 {
		return nil
	}
	drawn := uint64(murmur3(by)) * total >> 32
	for _, s := range shares {
		if drawn < s.weight {
			return s.variant
		}
		drawn -= s.weight
	}
	return nil
}

func firstText(args []any) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	by, ok := args[0].(string)
	return by, ok
}

type share struct {
	variant any
	weight  uint64
}

// sharesOf reads [variant, weight] and [variant], whose weight is 1. A weight below none is none: it
// comes of rules that reckon with time.
func sharesOf(args []any) (shares []share, total uint64, ok bool) {
	for _, arg := range args {
		pair, isList := arg.([]any)
		if !isList || len(pair) == 0 || len(pair) > 2 {
			return nil, 0, false
		}
		s := share{variant: pair[0], weight: 1}
		if len(pair) == 2 {
			weight, isNumber := pair[1].(float64)
			if !isNumber || weight != math.Trunc(weight) || weight > math.MaxInt32 {
				return nil, 0, false
			}
			s.weight = uint64(max(weight, 0))
		}
		switch s.variant.(type) {
		case nil, string, bool, float64:
		default:
			return nil, 0, false
		}
		shares, total = append(shares, s), total+s.weight
	}
	return shares, total, total <= math.MaxInt32
}

// affix compares the beginning or the end of a text.
func affix(args []any, has func(s, affix string) bool) any {
	if len(args) != 2 {
		return nil
	}
	whole, ok1 := args[0].(string)
	part, ok2 := args[1].(string)
	if !ok1 || !ok2 {
		return nil
	}
	return has(whole, part)
}

// semVer compares two versions: [version, operator, version].
func semVer(args []any) any {
	if len(args) != 3 {
		return nil
	}
	one, err1 := semver.NewVersion(strings.TrimLeft(text(args[0]), "vV"))
	other, err2 := semver.NewVersion(strings.TrimLeft(text(args[2]), "vV"))
	if err1 != nil || err2 != nil {
		return nil
	}
	order := one.Compare(other)
	switch text(args[1]) {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "^":
		return one.Major() == other.Major()
	case "~":
		return one.Major() == other.Major() && one.Minor() == other.Minor()
	}
	return nil
}
