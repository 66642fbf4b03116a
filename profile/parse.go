package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parser turns the bytes of one file into a tree, within limits, and gathers what is wrong on the way.
type parser struct {
	path     string
	lim      Limits
	out      *collector
	nodes    int
	aliases  int
	building map[*yaml.Node]bool // anchors being built, to see an alias inside its own anchor
	stopped  bool                // a cap was hit: say so once and build nothing more
}

// parseYAML returns the tree of src, or nil when it cannot be built; problems go to out.
func parseYAML(path string, src []byte, lim Limits, out *collector) *tree {
	p := &parser{path: path, lim: lim, out: out, building: map[*yaml.Node]bool{}}
	if !p.checkBytes(src) {
		return nil
	}
	doc, err := decodeNode(jsonEscapes(src))
	if err != nil {
		line, message := yamlErrorPlace(err)
		line = min(line, bytes.Count(src, []byte("\n"))+1) // the library sometimes counts one too many
		line, message = explainTab(src, line, message)
		p.fail(line, 1, message)
		return nil
	}
	if doc == nil || len(doc.Content) == 0 {
		p.fail(1, 1, "file is empty")
		return nil
	}
	before := len(out.errors) + out.dropped
	root := p.build(doc.Content[0], 1)
	if p.stopped || len(out.errors)+out.dropped > before && root == nil {
		return nil
	}
	return root
}

func (p *parser) fail(line, column int, message string) {
	p.out.add(place{p.path, int32(line), int32(column)}.problem("", message))
}

func (p *parser) stop(n *yaml.Node, format string, args ...any) *tree {
	if !p.stopped {
		p.fail(n.Line, n.Column, fmt.Sprintf(format, args...))
	}
	p.stopped = true
	return nil
}

// checkBytes refuses what the YAML library would read in a way that people cannot see: other encodings, control characters.
func (p *parser) checkBytes(src []byte) bool {
	switch {
	case len(src) > p.lim.MaxBytes:
		p.fail(0, 0, fmt.Sprintf("file has %d bytes, at most %d are read", len(src), p.lim.MaxBytes))
		return false
	case bytes.HasPrefix(src, []byte("\xef\xbb\xbf")):
		p.fail(1, 1, "file starts with a byte order mark: save it as UTF-8 without one")
		return false
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		p.fail(1, 1, "file is UTF-16: save it as UTF-8")
		return false
	}
	// The library builds a node for each of these before anything can be counted, at some 200 bytes each.
	if lines := bytes.Count(src, []byte("\n")); lines > p.lim.MaxNodes {
		p.fail(0, 0, fmt.Sprintf("file has %d lines, at most %d are read", lines, p.lim.MaxNodes))
		return false
	}
	if flow := bytes.Count(src, []byte(",")) + bytes.Count(src, []byte("[")) + bytes.Count(src, []byte("{")); flow > 2*p.lim.MaxNodes {
		p.fail(0, 0, fmt.Sprintf("file has %d commas and brackets, at most %d are read", flow, 2*p.lim.MaxNodes))
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			p.fail(line, column, "invalid UTF-8")
			return false
		case r < ' ' && r != '\n' && r != '\t' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0, isBidi(r):
			p.fail(line, column, fmt.Sprintf("control character %U is not allowed", r))
			return false
		}
		i += size
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return true
}

// isBidi reports a character that reorders what is shown, or a byte order mark inside the text: with these a reviewer
// would read another configuration than the one that is merged.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0xfeff
}

var jsonEscape = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)

// jsonEscapes writes out the two escapes that JSON has and the YAML library lacks: \/ and surrogate pairs. Only a file
// that is JSON as a whole is touched; in it a backslash is always the start of an escape.
func jsonEscapes(src []byte) []byte {
	if !bytes.ContainsRune(src, '\\') || !bytes.HasPrefix(bytes.TrimSpace(src), []byte("{")) || !json.Valid(src) {
		return src
	}
	return jsonEscape.ReplaceAllFunc(src, func(e []byte) []byte {
		var s string
		if (len(e) == 12 || string(e) == `\/`) && json.Unmarshal([]byte(`"`+string(e)+`"`), &s) == nil {
			return []byte(s)
		}
		return e
	})
}

var errSecondDocument = errors.New("a second YAML document follows: one file holds one profile")

// decodeNode parses exactly one document. The library panics on some malformed input, which is then an error like any other.
func decodeNode(src []byte) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, errors.New("malformed YAML")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(src))
	doc = &yaml.Node{}
	if err := dec.Decode(doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: %w", second.Line, errSecondDocument)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return doc, nil
}

var yamlErrorLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// yamlErrorPlace takes the line out of the library's message.
func yamlErrorPlace(err error) (line int, message string) {
	s := err.Error()
	m := yamlErrorLine.FindStringSubmatch(s)
	line = 1
	if n, convErr := strconv.Atoi(m[1]); convErr == nil {
		line = max(n, 1)
	}
	message = shorten(strings.TrimPrefix(s, m[0]))
	if errors.Is(err, errSecondDocument) {
		return line, errSecondDocument.Error()
	}
	return line, "YAML syntax: " + message
}

// explainTab finds the tab that the library complains of in its own words, at the line it names or at the next one.
func explainTab(src []byte, line int, message string) (int, string) {
	if !strings.Contains(message, "found a tab character") && !strings.Contains(message, "found character that cannot start any token") {
		return line, message
	}
	lines := bytes.SplitN(src, []byte("\n"), line+2)
	for n := line; n <= min(line+1, len(lines)); n++ {
		text := lines[n-1]
		if bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t') {
			return n, "YAML syntax: a tab indents this line, where only spaces may"
		}
	}
	return line, message
}

// build returns the tree of a node, or nil when a problem was reported that leaves no value.
func (p *parser) build(n *yaml.Node, depth int) *tree {
	if p.stopped {
		return nil
	}
	if p.nodes++; p.nodes > p.lim.MaxNodes {
		return p.stop(n, "file holds more than %d values", p.lim.MaxNodes)
	}
	if depth > p.lim.MaxDepth {
		return p.stop(n, "nested more than %d deep", p.lim.MaxDepth)
	}
	if n.Anchor != "" {
		p.building[n] = true
		defer delete(p.building, n)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return p.alias(n, depth)
	case yaml.MappingNode:
		return p.mapping(n, depth)
	case yaml.SequenceNode:
		return p.sequence(n, depth)
	default:
		return p.scalar(n)
	}
}

func (p *parser) place(n *yaml.Node) place { return place{p.path, int32(n.Line), int32(n.Column)} }

func (p *parser) alias(n *yaml.Node, depth int) *tree {
	if p.aliases++; p.aliases > p.lim.MaxAliases {
		return p.stop(n, "more than %d aliases", p.lim.MaxAliases)
	}
	if p.building[n.Alias] {
		return p.stop(n, "alias *%s stands inside its own anchor", shorten(n.Value))
	}
	return p.build(n.Alias, depth)
}

func (p *parser) sequence(n *yaml.Node, depth int) *tree {
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!seq" {
		return p.badTag(n)
	}
	t := &tree{at: p.place(n), kind: listTree, items: make([]*tree, 0, len(n.Content)), size: 1}
	for _, c := range n.Content {
		item := p.build(c, depth+1)
		if item == nil {
			if p.stopped {
				return nil
			}
			item = &tree{at: p.place(c), size: 1} // a place-holder: the file is refused, but its other problems are still found
		}
		t.items = append(t.items, item)
		t.size += item.size
	}
	return t
}

func (p *parser) badTag(n *yaml.Node) *tree {
	p.fail(n.Line, n.Column, fmt.Sprintf("tag %s is not known here", shorten(n.Tag)))
	return nil
}

func (p *parser) scalar(n *yaml.Node) *tree {
	v, ok := p.scalarValue(n)
	if !ok {
		return nil
	}
	return &tree{at: p.place(n), scalar: v, size: 1}
}

func (p *parser) scalarValue(n *yaml.Node) (v any, ok bool) {
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.Tag {
		case "!!str", "!!int", "!!float", "!!bool", "!!null":
		default:
			p.badTag(n)
			return nil, false
		}
	}
	v, err := resolveScalar(n)
	if err != nil {
		p.fail(n.Line, n.Column, err.Error())
		return nil, false
	}
	return v, true
}

func (p *parser) mapping(n *yaml.Node, depth int) *tree {
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!map" {
		return p.badTag(n)
	}
	if len(n.Content)/2 > p.lim.MaxKeys {
		return p.stop(n, "map has %d keys, at most %d are read", len(n.Content)/2, p.lim.MaxKeys)
	}
	t := &tree{at: p.place(n), kind: mapTree, fields: make(map[string]field, len(n.Content)/2), keys: make([]string, 0, len(n.Content)/2), size: 1}
	var merges []*tree
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			if merged {
				p.fail(key.Line, key.Column, "duplicate key <<")
			}
			merged = true
			merges = append(merges, p.mergeSources(value, depth)...)
			continue
		}
		name, ok := p.key(key)
		v := p.build(value, depth+1)
		if p.stopped {
			return nil
		}
		if !ok {
			continue
		}
		if first, dup := t.fields[name]; dup {
			p.fail(key.Line, key.Column, fmt.Sprintf("duplicate key %q, first on line %d", shorten(name), first.at.line))
			continue
		}
		if v == nil {
			v = &tree{at: p.place(value), size: 1}
		}
		t.put(name, field{at: p.place(key), value: v})
	}
	return p.merge(t, merges)
}

// key returns the text of a map key, which must read as a string: 1, true and null are no keys of JSON.
func (p *parser) key(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		p.fail(n.Line, n.Column, "a key must be text")
		return "", false
	}
	if n.Style == 0 && plainText(n.Value) && len(n.Value) <= p.lim.MaxKeyBytes {
		return n.Value, true
	}
	v, ok := p.scalarValue(n)
	if !ok {
		return "", false
	}
	s, ok := v.(string)
	switch {
	case !ok:
		p.fail(n.Line, n.Column, fmt.Sprintf("key %s is a %s: quote it", shorten(n.Value), (&tree{scalar: v}).typeName()))
	case len(s) > p.lim.MaxKeyBytes:
		p.fail(n.Line, n.Column, fmt.Sprintf("key has %d bytes, at most %d are read", len(s), p.lim.MaxKeyBytes))
		return "", false
	}
	return s, ok
}

// mergeSources returns the maps that a merge key (<<) names: one, or a list of which the first wins.
func (p *parser) mergeSources(n *yaml.Node, depth int) []*tree {
	t := p.build(n, depth+1)
	if t == nil {
		return nil
	}
	sources := []*tree{t}
	if t.kind == listTree {
		sources = t.items
	}
	for _, s := range sources {
		if s.kind != mapTree {
			p.fail(n.Line, n.Column, "a merge key (<<) takes a map or a list of maps")
			return nil
		}
	}
	return sources
}

// merge adds the merged maps' keys that t does not have itself.
func (p *parser) merge(t *tree, sources []*tree) *tree {
	for _, s := range sources {
		for _, k := range s.keys {
			if _, own := t.fields[k]; own {
				continue
			}
			if len(t.keys) >= p.lim.MaxKeys {
				p.out.add(t.at.problem("", fmt.Sprintf("map has more than %d keys after merging", p.lim.MaxKeys)))
				return t
			}
			t.put(k, s.fields[k])
		}
	}
	return t
}
