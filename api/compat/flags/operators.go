package flags

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// operators are those that need no more than their evaluated arguments.
var operators = map[string]func(args []any) any{
	"==":          func(args []any) any { return loose(at(args, 0), at(args, 1)) },
	"!=":          func(args []any) any { return !loose(at(args, 0), at(args, 1)) },
	"===":         func(args []any) any { return strict(at(args, 0), at(args, 1)) },
	"!==":         func(args []any) any { return !strict(at(args, 0), at(args, 1)) },
	"!":           func(args []any) any { return !truthy(at(args, 0)) },
	"!!":          func(args []any) any { return truthy(at(args, 0)) },
	"<":           func(args []any) any { return rising(args, func(order int) bool { return order < 0 }) },
	"<=":          func(args []any) any { return rising(args, func(order int) bool { return order <= 0 }) },
	">":           func(args []any) any { return rising(args, func(order int) bool { return order > 0 }) },
	">=":          func(args []any) any { return rising(args, func(order int) bool { return order >= 0 }) },
	"+":           func(args []any) any { return total(args) },
	"*":           func(args []any) any { return product(args) },
	"-":           minus,
	"/":           func(args []any) any { return finite(number(at(args, 0)) / number(at(args, 1))) },
	"%":           func(args []any) any { return finite(math.Mod(number(at(args, 0)), number(at(args, 1)))) },
	"min":         func(args []any) any { return extreme(args, math.Min) },
	"max":         func(args []any) any { return extreme(args, math.Max) },
	"in":          within,
	"cat":         joined,
	"substr":      part,
	"merge":       merged,
	"log":         func(args []any) any { return at(args, 0) },
	"starts_with": func(args []any) any { return affix(args, strings.HasPrefix) },
	"ends_with":   func(args []any) any { return affix(args, strings.HasSuffix) },
	"sem_ver":     semVer,
}

func at(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// truthy says whether a value counts as true.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}

// text is a value as JavaScript writes it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if math.Abs(v) >= 1e21 {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = text(item)
		}
		return strings.Join(parts, ",")
	}
	return "[object Object]"
}

// number is a value as a number, or not a number.
func number(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case string:
		trimmed := strings.TrimSpace(v)
		if trimmed == "" {
			return 0
		}
		if n, err := strconv.ParseFloat(trimmed, 64); err == nil {
			return n
		}
	case []any:
		return number(text(v))
	}
	return math.NaN()
}

// finite leaves out what JSON has no number for: the default holds then.
func finite(n float64) any {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return n
}

// strict is ===: the same type and the same value; lists and objects are never the same.
func strict(a, b any) bool {
	switch a := a.(type) {
	case []any, map[string]any:
		return false
	case float64:
		n, ok := b.(float64)
		return ok && a == n
	default:
		switch b.(type) {
		case []any, map[string]any:
			return false
		}
		return a == b
	}
}

// loose is ==: a number and the text of it are the same, null is nothing but null.
func loose(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	_, aText := a.(string)
	_, bText := b.(string)
	_, aList := a.([]any)
	_, bList := b.([]any)
	switch {
	case aList && bList:
		return false
	case aText && bText, aText && bList, aList && bText:
		return text(a) == text(b)
	}
	if _, ok := a.(map[string]any); ok {
		return false
	}
	if _, ok := b.(map[string]any); ok {
		return false
	}
	return number(a) == number(b)
}

// rising compares two values, or three: a < b < c.
func rising(args []any, holds func(order int) bool) bool {
	if len(args) < 2 {
		return false
	}
	for i := 1; i < min(len(args), 3); i++ {
		order, comparable := compare(args[i-1], args[i])
		if !comparable || !holds(order) {
			return false
		}
	}
	return true
}

// compare orders two texts as texts, and anything else as numbers.
func compare(a, b any) (order int, comparable bool) {
	one, ok1 := a.(string)
	other, ok2 := b.(string)
	if ok1 && ok2 {
		return strings.Compare(one, other), true
	}
	n, m := number(a), number(b)
	if math.IsNaN(n) || math.IsNaN(m) {
		return 0, false
	}
	switch {
	case n < m:
		return -1, true
	case n > m:
		return 1, true
	}
	return 0, true
}

func total(args []any) any {
	sum := 0.0
	for _, arg := range args {
		sum += number(arg)
	}
	return finite(sum)
}

func product(args []any) any {
	result := 1.0
	for _, arg := range args {
		result *= number(arg)
	}
	return finite(result)
}

func minus(args []any) any {
	if len(args) == 1 {
		return finite(-number(args[0]))
	}
	return finite(number(at(args, 0)) - number(at(args, 1)))
}

func extreme(args []any, of func(a, b float64) float64) any {
	if len(args) == 0 {
		return nil
	}
	result := number(args[0])
	for _, arg := range args[1:] {
		result = of(result, number(arg))
	}
	return finite(result)
}

// within says whether a text holds another, or a list a value.
func within(args []any) any {
	switch whole := at(args, 1).(type) {
	case string:
		return whole != "" && strings.Contains(whole, text(at(args, 0)))
	case []any:
		return slices.ContainsFunc(whole, func(item any) bool { return strict(at(args, 0), item) })
	}
	return false
}

func joined(args []any) any {
	var b strings.Builder
	for _, arg := range args {
		b.WriteString(text(arg))
	}
	return b.String()
}

// part is a piece of a text: [text, from, length]; what is below nothing counts from the end.
func part(args []any) any {
	whole := []rune(text(at(args, 0)))
	from := bounded(number(at(args, 1)), len(whole))
	rest := whole[from:]
	if len(args) < 3 {
		return string(rest)
	}
	return string(rest[:bounded(number(args[2]), len(rest))])
}

// bounded is a position in a list of that length; what is below nothing counts from the end.
func bounded(n float64, length int) int {
	if math.IsNaN(n) {
		return 0
	}
	if n < 0 {
		n += float64(length)
	}
	return int(max(0, min(n, float64(length))))
}

func merged(args []any) any {
	out := []any{}
	for _, arg := range args {
		if list, ok := arg.([]any); ok {
			out = append(out, list...)
			continue
		}
		out = append(out, arg)
	}
	return out
}
