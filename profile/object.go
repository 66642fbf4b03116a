package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// object reads the fields of one map of the format: each read marks its field as known, and done reports the others.
type object struct {
	t       *tree
	path    string
	out     *collector
	known   []string
	outline *outline // not nil while the format explains itself, see explain.go
}

func newObject(t *tree, path string, out *collector) *object {
	return &object{t: t, path: path, out: out}
}

// take returns the value of a field, or nil when it is absent or null.
func (o *object) take(name string) *tree {
	if o.known == nil {
		o.known = make([]string, 0, 16) // room for most
	}
	o.known = append(o.known, name)
	f, ok := o.t.fields[name]
	if !ok || f.value.isNull() {
		return nil
	}
	return f.value
}

func (o *object) fail(t *tree, name, format string, args ...any) {
	o.out.add(t.at.problem(joinKey(o.path, name), fmt.Sprintf(format, args...)))
}

func (o *object) warn(at place, name, message string) {
	p := at.problem(joinKey(o.path, name), message)
	p.Severity = Warning
	o.out.add(p)
}

// missing reports a field that must be there.
func (o *object) missing(name string) {
	o.outline.require(o, name)
	o.out.add(o.t.at.problem(joinKey(o.path, name), "missing field "+strconv.Quote(name)))
}

const maxText = 4096

// text reads a string of at most maxText bytes.
func (o *object) text(name string) string {
	o.outline.read(o, name, "text")
	t := o.take(name)
	if t == nil {
		return ""
	}
	s, ok := t.scalar.(string)
	switch {
	case t.kind != scalarTree || !ok:
		o.fail(t, name, "%s must be a string, got %s%s", name, t.typeName(), quoteHint(t))
	case len(s) > maxText:
		o.fail(t, name, "%s has %d bytes, at most %d are read", name, len(s), maxText)
		return ""
	}
	return s
}

func quoteHint(t *tree) string {
	if t.kind == scalarTree && t.scalar != nil {
		return ": quote it"
	}
	return ""
}

// name reads a string that must satisfy ValidName.
func (o *object) name(name string) string {
	s := o.text(name)
	o.outline.read(o, name, "name")
	if s == "" {
		return ""
	}
	if err := ValidName(s); err != nil {
		o.fail(o.t.fields[name].value, name, "%s", err)
		return ""
	}
	return s
}

// choice reads one of a few words, exactly as they are written.
func choice[T ~string](o *object, name string, known []T) T {
	s := T(o.text(name))
	o.outline.choose(o, name, wordsOf(known))
	if s == "" {
		return ""
	}
	if !slices.Contains(known, s) {
		o.fail(o.t.fields[name].value, name, "%s", oneOf(name, string(s), known))
		return ""
	}
	return s
}

// flag reads a boolean into v, which keeps its default when the field is absent.
func (o *object) flag(name string, v *bool) {
	o.outline.read(o, name, "true or false").usually(strconv.FormatBool(*v))
	t := o.take(name)
	if t == nil {
		return
	}
	b, ok := t.scalar.(bool)
	if !ok {
		o.fail(t, name, "%s must be true or false, got %s", name, t.typeName())
		return
	}
	*v = b
}

func (o *object) duration(name string, v *Duration) {
	o.outline.read(o, name, "duration").usually(shortDuration(*v))
	t := o.take(name)
	if t == nil {
		return
	}
	s, ok := t.scalar.(string)
	if !ok {
		o.fail(t, name, "%s must be a duration such as 5m or PT5M, got %s", name, t.typeName())
		return
	}
	d, err := ParseDuration(s)
	if err != nil {
		o.fail(t, name, "%s: %s", name, err)
		return
	}
	*v = d
}

func (o *object) float(name string, v *float64) bool {
	read := o.outline.read(o, name, "number")
	if *v != 0 {
		read.usually(strconv.FormatFloat(*v, 'f', -1, 64))
	}
	t := o.take(name)
	if t == nil {
		return false
	}
	n, ok := t.scalar.(json.Number)
	f, err := n.Float64()
	if !ok || err != nil {
		o.fail(t, name, "%s must be a number, got %s", name, t.typeName())
		return false
	}
	*v = f
	return true
}

func (o *object) integer(name string, v *int) {
	o.outline.read(o, name, "whole number").usually(strconv.Itoa(*v))
	t := o.take(name)
	if t == nil {
		return
	}
	if n, ok := t.integer(); ok {
		*v = n
		return
	}
	o.fail(t, name, "%s must be a whole number, got %s", name, t.typeName())
}

// integer returns the value of a whole number, also written 10.0, within 32 bits.
func (t *tree) integer() (int, bool) {
	n, ok := t.scalar.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(canonicalNumber(n.String()), 10, 32)
	return int(i), err == nil && i >= math.MinInt32
}

// list reads a list, or reports what is there instead.
func (o *object) list(name, of string) []*tree {
	o.outline.read(o, name, "list of "+of)
	if o.outline != nil {
		return []*tree{emptyTree()}
	}
	t := o.take(name)
	if t == nil {
		return nil
	}
	if t.kind != listTree {
		o.fail(t, name, "%s must be a list of %s, got %s", name, of, t.typeName())
		return nil
	}
	if t.items == nil {
		return []*tree{} // an empty list is not an absent one
	}
	return t.items
}

// object reads a map, or nil.
func (o *object) object(name string) *object {
	o.outline.read(o, name, "object")
	if o.outline != nil {
		return o.outline.below(o, name)
	}
	t := o.take(name)
	if t == nil {
		return nil
	}
	if t.kind != mapTree {
		o.fail(t, name, "%s must be an object, got %s", name, t.typeName())
		return nil
	}
	return newObject(t, joinKey(o.path, name), o.out)
}

// done reports every field that nobody read.
func (o *object) done() {
	for _, k := range o.t.keys {
		if slices.Contains(o.known, k) {
			continue
		}
		message := fmt.Sprintf("unknown field %q", shorten(k))
		if guess := Nearest(k, o.known); guess != "" {
			message += ", did you mean " + guess + "?"
		} else {
			message += ", known are " + strings.Join(o.known, ", ")
		}
		o.out.add(o.t.fields[k].at.problem(joinKey(o.path, k), message))
	}
}

// report sends a value's own errors (Strategy.Problems, Health.Problems) to the places of its fields.
func (o *object) report(found []FieldError) {
	for _, e := range found {
		path := o.path + strings.TrimPrefix(e.Path, "$")
		message := e.Message
		if word := lastWord(e.keys); !strings.Contains(message, word) {
			message = word + " " + message
		}
		p := o.t.find(e.keys).problem(path, message)
		if !o.alreadyFailed(path) {
			o.out.add(p)
		}
	}
}

// alreadyFailed says that a field's text was refused already, so that its default value is not judged as well.
func (o *object) alreadyFailed(path string) bool {
	return slices.ContainsFunc(o.out.errors, func(p Problem) bool { return p.Field == path })
}

func lastWord(keys []string) string {
	for _, k := range slices.Backward(keys) {
		if _, err := strconv.Atoi(k); err != nil {
			return k
		}
	}
	return ""
}
