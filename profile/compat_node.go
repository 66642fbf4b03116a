package profile

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaDoc is one document, with what was compiled of its parts.
type schemaDoc struct {
	root     any
	compiler *jsonschema.Compiler
	parts    map[string]*jsonschema.Schema // by pointer; nil: cannot be compiled
	texts    map[string]string             // hashes of the parts' canonical JSON, by pointer
	types    map[typesKey]typeSet
	patterns map[string]*regexp.Regexp
}

// nodePlace tells the parts of the documents apart.
type nodePlace struct {
	doc *schemaDoc
	ptr string
}

func (n schemaNode) place() nodePlace { return nodePlace{n.doc, n.ptr} }

// text is the same for parts that are the same.
func (n schemaNode) text() string {
	text, known := n.doc.texts[n.ptr]
	if !known {
		if n.doc.texts == nil {
			n.doc.texts = map[string]string{}
		}
		text = definitionHash(canonicalValue(n.v))
		n.doc.texts[n.ptr] = text
	}
	return text
}

// matches says whether a name matches a pattern of the document.
func (d *schemaDoc) matches(pattern, name string) bool {
	re, known := d.patterns[pattern]
	if !known {
		if d.patterns == nil {
			d.patterns = map[string]*regexp.Regexp{}
		}
		re, _ = regexp.Compile(pattern) // nil when it is none, which the schema's own compilation refused
		d.patterns[pattern] = re
	}
	return re != nil && re.MatchString(name)
}

// schemaNode is a schema inside of a document: true, false or an object.
type schemaNode struct {
	doc   *schemaDoc
	ptr   string // JSON pointer
	v     any
	split string // the keyword whose alternatives are being tried one by one
}

// everything is the schema that says nothing.
func everything() schemaNode { return schemaNode{doc: &schemaDoc{root: true}, v: true} }

// onlyStrings is the schema of the names of properties.
func onlyStrings() schemaNode {
	v := map[string]any{"type": "string"}
	return schemaNode{doc: &schemaDoc{root: v}, v: v}
}

func (n schemaNode) key() string { return fmt.Sprintf("%p%s!%s", n.doc, n.ptr, n.split) }

// trivial says that every value is valid.
func (n schemaNode) trivial() bool {
	obj, isMap := n.v.(map[string]any)
	if !isMap {
		return n.v == true
	}
	for k := range obj {
		if _, asserts := keywordProofs[k]; asserts {
			return false
		}
	}
	return true
}

func (n schemaNode) has(key string) bool {
	obj, _ := n.v.(map[string]any)
	_, ok := obj[key]
	return ok
}

func (n schemaNode) get(key string) any {
	obj, _ := n.v.(map[string]any)
	return obj[key]
}

// child is the schema under a keyword; that of everything when it is absent.
func (n schemaNode) child(key string) schemaNode {
	v, ok := n.get(key), n.has(key)
	if _, isMap := v.(map[string]any); !ok || !isMap && v != true && v != false {
		return everything()
	}
	return schemaNode{doc: n.doc, ptr: n.ptr + "/" + escapePointer(key), v: v}
}

// list are the schemas in the list under a keyword.
func (n schemaNode) list(key string) (out []schemaNode) {
	items, _ := n.get(key).([]any)
	for i, v := range items {
		out = append(out, schemaNode{doc: n.doc, ptr: n.ptr + "/" + key + "/" + strconv.Itoa(i), v: v})
	}
	return out
}

// named are the schemas in the map under a keyword.
func (n schemaNode) named(key string) map[string]schemaNode {
	m, _ := n.get(key).(map[string]any)
	out := make(map[string]schemaNode, len(m))
	for name, v := range m {
		out[name] = schemaNode{doc: n.doc, ptr: n.ptr + "/" + key + "/" + escapePointer(name), v: v}
	}
	return out
}

// texts are the strings in the list under a keyword.
func (n schemaNode) texts(key string) (out []string) {
	items, _ := n.get(key).([]any)
	for _, v := range items {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// target follows the node's $ref; ok is false for one that leads nowhere that is known.
func (n schemaNode) target() (to schemaNode, ok bool) {
	ref, _ := n.get("$ref").(string)
	return n.doc.at(ref)
}

func (d *schemaDoc) at(ref string) (to schemaNode, ok bool) {
	pointer, isPointer := strings.CutPrefix(ref, "#")
	pointer, err := fromFragment(pointer)
	if !isPointer || err != nil || pointer != "" && !strings.HasPrefix(pointer, "/") {
		return to, false
	}
	v := d.root
	if pointer != "" {
		for part := range strings.SplitSeq(pointer[1:], "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			switch holder := v.(type) {
			case map[string]any:
				v, ok = holder[part]
			case []any:
				i, err := strconv.Atoi(part)
				if ok = err == nil && i >= 0 && i < len(holder); ok {
					v = holder[i]
				}
			default:
				ok = false
			}
			if !ok {
				return to, false
			}
		}
	}
	if _, isMap := v.(map[string]any); !isMap && v != true && v != false {
		return to, false
	}
	return schemaNode{doc: d, ptr: pointer, v: v}, true
}

// same says that two schemas are the same text and that what they refer to is too.
func (c *compat) same(a, b schemaNode) bool {
	pair := [2]nodePlace{a.place(), b.place()}
	if is, known := c.equal[pair]; known {
		return is
	}
	is := c.sameParts(a, b, map[string]bool{})
	c.equal[pair] = is
	return is
}

func (c *compat) sameParts(a, b schemaNode, seen map[string]bool) bool {
	if a.text() != b.text() {
		return false
	}
	for _, ref := range refsOf(a.v, nil) {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		c.steps++
		to, ok := a.doc.at(ref)
		other, okay := b.doc.at(ref)
		if !ok || !okay || !c.sameParts(to, other, seen) {
			return false
		}
	}
	return true
}

func refsOf(v any, found []string) []string {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && !slices.Contains(found, ref) {
			found = append(found, ref)
		}
		for _, item := range v {
			found = refsOf(item, found)
		}
	case []any:
		for _, item := range v {
			found = refsOf(item, found)
		}
	}
	return found
}

// holds says that a value is surely valid under the schema.
func (n schemaNode) holds(value any) bool {
	switch n.v {
	case true:
		return true
	case false:
		return false
	}
	s := n.doc.compiled(n.ptr)
	if s == nil || checkCost(s, value) != nil {
		return false
	}
	return (&Schema{compiled: s}).run(value) == nil
}

func (d *schemaDoc) compiled(ptr string) *jsonschema.Schema {
	if s, known := d.parts[ptr]; known {
		return s
	}
	if d.parts == nil {
		d.parts = map[string]*jsonschema.Schema{}
	}
	d.parts[ptr] = d.compile(ptr)
	return d.parts[ptr]
}

func (d *schemaDoc) compile(ptr string) (s *jsonschema.Schema) {
	defer func() {
		if recover() != nil { // as in compileDocument
			s = nil
		}
	}()
	if d.compiler == nil {
		c := newCompiler()
		if c.AddResource(schemaURL, d.root) != nil {
			return nil
		}
		d.compiler = c
	}
	segments := strings.Split(ptr, "/")
	for i := range segments {
		segments[i] = toFragment(segments[i])
	}
	s, err := d.compiler.Compile(schemaURL + "#" + strings.Join(segments, "/"))
	if err != nil {
		return nil
	}
	return s
}

// toFragment writes text as it stands in the fragment of a URL. A pure package has no net/url.
func toFragment(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// fromFragment reads the fragment of a URL.
func fromFragment(text string) (string, error) {
	first, rest, more := strings.Cut(text, "%")
	if !more {
		return text, nil
	}
	var b strings.Builder
	b.WriteString(first)
	for part := range strings.SplitSeq(rest, "%") {
		if len(part) < 2 {
			return "", fmt.Errorf("%q ends within an escape", shorten(text))
		}
		c, err := hex.DecodeString(part[:2])
		if err != nil {
			return "", fmt.Errorf("%q is no fragment: %w", shorten(text), err)
		}
		b.Write(c)
		b.WriteString(part[2:])
	}
	return b.String(), nil
}
