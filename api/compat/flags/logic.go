package flags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// evaluateRule gives what a rule of JSON Logic is over what it sees, as jsonlogic.com describes it and
// the JavaScript that most rules were written for does it: "" and 0 and [] are false, "1" == 1.
//
// A rule may go over lists that the caller gives, in one another: what it may do is bounded, and the
// error says so.
func evaluateRule(rule any, seen map[string]any) (any, error) {
	l := &logic{root: seen, left: mostSteps}
	return l.apply(rule, seen)
}

// mostSteps is how many operators a rule may go through, and values it may make, in one evaluation:
// some milliseconds.
const mostSteps = 200_000

var (
	errTooLong    = errors.New("it takes too many steps: it goes over lists in lists, or what it makes grows")
	errNoOperator = errors.New("there is no operator")
)

type logic struct {
	root map[string]any // the whole context, which flagd's operators look into from within lists too
	left int            // steps
}

func (l *logic) spend(steps int) error {
	if l.left -= steps; l.left < 0 {
		return errTooLong
	}
	return nil
}

// apply gives what a rule is over the data. What is neither a list nor an operator is itself.
func (l *logic) apply(rule, data any) (any, error) {
	if err := l.spend(1); err != nil {
		return nil, err
	}
	if list, ok := rule.([]any); ok {
		return l.each(list, data)
	}
	object, ok := rule.(map[string]any)
	if !ok || len(object) != 1 {
		return rule, nil
	}
	for op, written := range object {
		args, ok := written.([]any)
		if !ok {
			args = []any{written}
		}
		if run := special(op); run != nil {
			return run(l, args, data)
		}
		given, err := l.each(args, data)
		if err != nil {
			return nil, err
		}
		return l.operate(op, given, data)
	}
	return nil, nil
}

func (l *logic) each(rules []any, data any) ([]any, error) {
	out := make([]any, len(rules))
	for i, rule := range rules {
		var err error
		if out[i], err = l.apply(rule, data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// operate runs an operator whose arguments are all evaluated.
func (l *logic) operate(op string, args []any, data any) (any, error) {
	switch op {
	case "fractional":
		return fractional(args, l.root), nil
	case "missing":
		return missing(args, data), nil
	case "missing_some":
		return missingSome(args, data), nil
	case "var":
		return variable(args, data), nil
	}
	if plain, ok := operators[op]; ok {
		result := plain(args)
		return result, l.spend(size(result) / 8)
	}
	return nil, fmt.Errorf("%w %q", errNoOperator, op)
}

// size is about how much a value holds, so that one that doubles at each step ends.
func size(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return 8 * len(v)
	}
	return 0
}

// special is an operator that chooses what of its arguments to evaluate, and over what, or nil.
func special(op string) func(l *logic, args []any, data any) (any, error) {
	switch op {
	case "if", "?:":
		return (*logic).choose
	case "and":
		return (*logic).and
	case "or":
		return (*logic).or
	case "map":
		return (*logic).mapped
	case "filter":
		return (*logic).filter
	case "reduce":
		return (*logic).reduce
	case "all":
		return (*logic).all
	case "some":
		return (*logic).some
	case "none":
		return (*logic).none
	}
	return nil
}

func (l *logic) choose(args []any, data any) (any, error) {
	for ; len(args) > 1; args = args[2:] {
		condition, err := l.apply(args[0], data)
		if err != nil {
			return nil, err
		}
		if truthy(condition) {
			return l.apply(args[1], data)
		}
	}
	if len(args) == 1 {
		return l.apply(args[0], data)
	}
	return nil, nil
}

func (l *logic) and(args []any, data any) (any, error) { return l.until(false, args, data) }
func (l *logic) or(args []any, data any) (any, error)  { return l.until(true, args, data) }

// until gives the first argument that is as true as wanted, or the last.
func (l *logic) until(wanted bool, args []any, data any) (last any, err error) {
	for _, arg := range args {
		if last, err = l.apply(arg, data); err != nil || truthy(last) == wanted {
			return last, err
		}
	}
	return last, nil
}

// over evaluates the list that the first argument is, and gives the rule that goes over it.
func (l *logic) over(args []any, data any) (list []any, rule any, err error) {
	if len(args) == 0 {
		return nil, nil, nil
	}
	first, err := l.apply(args[0], data)
	if err != nil {
		return nil, nil, err
	}
	list, _ = first.([]any)
	if len(args) > 1 {
		rule = args[1]
	}
	return list, rule, nil
}

func (l *logic) mapped(args []any, data any) (any, error) {
	list, rule, err := l.over(args, data)
	out := make([]any, len(list))
	for i := 0; i < len(list) && err == nil; i++ {
		out[i], err = l.apply(rule, list[i])
	}
	return out, err
}

func (l *logic) filter(args []any, data any) (any, error) {
	list, rule, err := l.over(args, data)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, item := range list {
		keep, err := l.apply(rule, item)
		if err != nil {
			return nil, err
		}
		if truthy(keep) {
			out = append(out, item)
		}
	}
	return out, nil
}

func (l *logic) reduce(args []any, data any) (any, error) {
	list, rule, err := l.over(args, data)
	if err != nil {
		return nil, err
	}
	var sum any
	if len(args) > 2 {
		if sum, err = l.apply(args[2], data); err != nil {
			return nil, err
		}
	}
	for _, item := range list {
		if sum, err = l.apply(rule, map[string]any{"current": item, "accumulator": sum}); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// count is of how many items of a list the rule is true.
func (l *logic) count(args []any, data any) (holds, of int, err error) {
	list, rule, err := l.over(args, data)
	if err != nil {
		return 0, 0, err
	}
	for _, item := range list {
		result, err := l.apply(rule, item)
		if err != nil {
			return 0, 0, err
		}
		if truthy(result) {
			holds++
		}
	}
	return holds, len(list), nil
}

func (l *logic) all(args []any, data any) (any, error) {
	holds, of, err := l.count(args, data)
	return of > 0 && holds == of, err
}

func (l *logic) some(args []any, data any) (any, error) {
	holds, _, err := l.count(args, data)
	return holds > 0, err
}

func (l *logic) none(args []any, data any) (any, error) {
	holds, _, err := l.count(args, data)
	return holds == 0, err
}

// variable looks a value up by its path, a.b.0; without a path it is all the data.
func variable(args []any, data any) any {
	var otherwise any
	if len(args) > 1 {
		otherwise = args[1]
	}
	if len(args) == 0 || args[0] == nil || args[0] == "" {
		return data
	}
	for step := range strings.SplitSeq(text(args[0]), ".") {
		switch at := data.(type) {
		case map[string]any:
			data = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return otherwise
			}
			data = at[i]
		default:
			return otherwise
		}
		if data == nil {
			return otherwise
		}
	}
	return data
}

// missing are those of the paths that the data has not, or has empty.
func missing(args []any, data any) []any {
	if len(args) > 0 {
		if list, ok := args[0].([]any); ok {
			args = list
		}
	}
	out := []any{}
	for _, path := range args {
		if value := variable([]any{path}, data); value == nil || value == "" {
			out = append(out, path)
		}
	}
	return out
}

// missingSome are the missing paths where fewer than so many are there: [so many, [path, ...]].
func missingSome(args []any, data any) []any {
	if len(args) < 2 {
		return []any{}
	}
	paths, _ := args[1].([]any)
	gone := missing([]any{paths}, data)
	if float64(len(paths)-len(gone)) >= number(args[0]) {
		return []any{}
	}
	return gone
}
