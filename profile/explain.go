package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The format explains itself: the decoders are run over files that hold nothing, and what they ask for is what
// there is. So an explanation knows every field, its type, its choices and its default as the decoders do; only the
// prose is written by hand, in explain_text.go, and a test keeps the two together.

// Field is one field of the format, explained.
type Field struct {
	// Path is the field's path from the top of the file, such as strategy.steps or health.metrics.min; "" is the file.
	Path        string   `json:"path"`
	Type        string   `json:"type"`
	Required    bool     `json:"required,omitempty"`
	Choices     []string `json:"choices,omitempty"`
	Defaults    []Usual  `json:"defaults,omitempty"`
	Unit        string   `json:"unit,omitempty"`
	Limits      string   `json:"limits,omitempty"`
	UsedBy      []string `json:"usedBy,omitempty"` // the strategies that read it; empty is all
	Description string   `json:"description"`
	Example     string   `json:"example,omitempty"` // YAML
	Fields      []Field  `json:"fields,omitempty"`
}

// Usual is what a field is when it is not given.
type Usual struct {
	When  string `json:"when,omitempty"` // the environment or the strategy; "" is always
	Value string `json:"value"`
}

// outline is what decoders ask for. A nil outline, which every load has, keeps nothing.
type outline struct {
	order []string
	reads map[string]*read
}

// read is one field that a decoder asked for.
type read struct {
	kind     string
	choices  []string
	usual    string
	hasUsual bool
	required bool
}

var listIndex = regexp.MustCompile(`\[\d+\]`)

func (s *outline) at(o *object, name string) *read {
	path := strings.TrimPrefix(listIndex.ReplaceAllString(joinKey(o.path, name), ""), "$.")
	r, ok := s.reads[path]
	if !ok {
		r = &read{}
		s.reads[path] = r
		s.order = append(s.order, path)
	}
	return r
}

// read keeps that a field is asked for; a kind replaces one that said less.
func (s *outline) read(o *object, name, kind string) *read {
	if s == nil {
		return nil
	}
	r := s.at(o, name)
	if kind != "" {
		r.kind = kind
	}
	return r
}

func (s *outline) choose(o *object, name string, choices []string) {
	if s != nil {
		s.at(o, name).choices = choices
	}
}

func (s *outline) require(o *object, name string) {
	if s != nil {
		s.at(o, name).required = true
	}
}

func (r *read) usually(value string) {
	if r != nil {
		r.usual, r.hasUsual = value, value != ""
	}
}

// below is an object that holds what the sketch of a file has there.
func (s *outline) below(o *object, name string) *object {
	t := emptyTree()
	if f, ok := o.t.fields[name]; ok {
		t = f.value
	}
	child := newObject(t, joinKey(o.path, name), o.out)
	child.outline = s
	return child
}

func emptyTree() *tree { return &tree{kind: mapTree, fields: map[string]field{}, size: 1} }

// sketch is a file that says no more than its environment and the type of its strategy.
func sketch(env Environment, strategy StrategyType) *tree {
	word := func(text string) field { return field{value: &tree{scalar: text, size: 1}} }
	t := emptyTree()
	if env != "" {
		t.put("environment", word(string(env)))
	}
	if strategy != "" {
		s := emptyTree()
		s.put("type", word(string(strategy)))
		t.put("strategy", field{value: s})
	}
	return t
}

// shapeOf runs the decoders of a kind of file over a sketch.
func outlineOf(kind FileKind, t *tree) *outline {
	l := newLoader(nil, "", DefaultLimits())
	o := newObject(t, "$", l.out)
	o.outline = &outline{reads: map[string]*read{}}
	l.header(o, kind)
	if kind == KindProfile {
		decodeProfile(o, &Profile{})
	} else {
		o.text("description")
	}
	_, _, err := l.layers("file.yaml", o)
	if err != nil {
		panic(err) // it extends nothing, so it reads nothing
	}
	return o.outline
}

// Explain returns what a file of a kind, KindProfile or KindBase, may hold.
func Explain(kind FileKind) Field {
	texts := profileTexts
	if kind == KindBase {
		texts = baseTexts
	}
	plain := outlineOf(kind, sketch("", ""))
	usuals := usualsOf(kind, plain.order)
	root := texts[""].field("", "file")
	for _, path := range plain.order {
		r := plain.reads[path]
		f := texts[path].field(path, r.kind)
		f.Required = r.required
		f.Choices = r.choices
		f.Defaults = usuals[path]
		f.UsedBy = usersOf(path)
		parent := &root
		parts := strings.Split(path, ".")
		for i := range len(parts) - 1 {
			at := slices.IndexFunc(parent.Fields, func(f Field) bool { return f.Path == strings.Join(parts[:i+1], ".") })
			parent = &parent.Fields[at]
		}
		parent.Fields = append(parent.Fields, f)
	}
	return root
}

// usersOf are the strategies that read a field of strategy; none where all do.
func usersOf(path string) []string {
	name, ok := strings.CutPrefix(path, "strategy.")
	if !ok {
		return nil
	}
	var users []string
	for _, t := range StrategyTypes() {
		if slices.Contains(uses[t], name) {
			users = append(users, string(t))
		}
	}
	return users
}

// usualsOf are the defaults by path, told apart by environment or strategy only where they differ.
func usualsOf(kind FileKind, paths []string) map[string][]Usual {
	out := map[string][]Usual{}
	if kind != KindProfile {
		return out
	}
	byEnvironment, byStrategy := map[string]*outline{}, map[string]*outline{}
	for _, e := range Environments() {
		byEnvironment[string(e)] = outlineOf(kind, sketch(e, Canary)) // one strategy, so that only the environment differs
	}
	for _, t := range StrategyTypes() {
		byStrategy[string(t)] = outlineOf(kind, sketch(Production, t))
	}
	for _, path := range paths {
		users := usersOf(path)
		if len(users) == 0 {
			users = wordsOf(StrategyTypes())
		}
		out[path] = usuals(path, wordsOf(Environments()), byEnvironment)
		if len(out[path]) <= 1 {
			out[path] = usuals(path, users, byStrategy)
		}
	}
	return out
}

func usuals(path string, when []string, outlines map[string]*outline) []Usual {
	var all []Usual
	same := true
	for _, w := range when {
		r := outlines[w].reads[path]
		if r == nil || !r.hasUsual {
			continue
		}
		all = append(all, Usual{When: w, Value: r.usual})
		same = same && r.usual == all[0].Value
	}
	if same && len(all) > 0 {
		return []Usual{{Value: all[0].Value}}
	}
	return all
}

// Find returns the field at a path below f: strategy.steps, also written $.strategy.steps or health.metrics[0].min. When
// there is none, guess is what was probably meant, "" when nothing is near.
func (f Field) Find(path string) (found Field, guess string, ok bool) {
	path = strings.Trim(listIndex.ReplaceAllString(strings.ReplaceAll(path, "[]", ""), ""), ".$")
	if path == "" {
		return f, "", true
	}
	at := f
	for part := range strings.SplitSeq(path, ".") {
		i := slices.IndexFunc(at.Fields, func(c Field) bool { return lastPart(c.Path) == part })
		if i < 0 {
			return at, f.guess(at, path, part), false
		}
		at = at.Fields[i]
	}
	return at, "", true
}

// guess looks for a like name where the path ended, then for the last name anywhere.
func (f Field) guess(at Field, path, part string) string {
	names := make([]string, len(at.Fields))
	for i, c := range at.Fields {
		names[i] = lastPart(c.Path)
	}
	if near := Nearest(part, names); near != "" {
		return strings.TrimPrefix(at.Path+"."+near, ".")
	}
	for _, p := range f.Paths() {
		if strings.EqualFold(lastPart(p), lastPart(path)) {
			return p
		}
	}
	last := lastPart(path)
	for _, p := range f.Paths() {
		if Nearest(last, []string{lastPart(p)}) != "" {
			return p
		}
	}
	return ""
}

// Paths lists every path below f, in the order of the format.
func (f Field) Paths() []string {
	var out []string
	for _, c := range f.Fields {
		out = append(append(out, c.Path), c.Paths()...)
	}
	return out
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// shortDuration writes a duration as people write it in a file: 5m, 1h30m; "" for none.
func shortDuration(d Duration) string {
	if d == 0 {
		return ""
	}
	text := time.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

func stepsText(steps []int) string {
	if len(steps) == 0 {
		return ""
	}
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = strconv.Itoa(s)
	}
	return fmt.Sprintf("[%s]", strings.Join(words, ", "))
}

func wordsOf[T ~string](values []T) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}
