package doctest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is what one Markdown file holds.
type Page struct {
	Path    string // from the project's root, with slashes
	Blocks  []Block
	Links   []Link
	Spans   []Span
	Anchors map[string]bool // what a link to #NAME finds
}

// Block is a fenced block.
type Block struct {
	Language string   // first word of its info string
	Marks    []string // the other words
	Text     string
	Line     int
}

// Runs says that a reader is meant to run the block, and a test does.
func (b Block) Runs() bool { return b.Language == "sh" && !slices.Contains(b.Marks, "norun") }

// Link is a link or a picture of the page.
type Link struct {
	To   string
	Line int
}

// Span is a piece of code in the running text.
type Span struct {
	Text string
	Line int
}

// Pages reads every page of the project at root, in the order of their paths.
func Pages(root string) ([]Page, error) {
	var pages []Page
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "dist", "bin", "node_modules"}, d.Name())) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".md" {
			return nil
		}
		inside, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		page, err := ReadPage(root, filepath.ToSlash(inside))
		pages = append(pages, page)
		return err
	})
	return pages, err
}

// ReadPage reads the page at path below root.
func ReadPage(root, path string) (Page, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return Page{}, err
	}
	return parse(path, source)
}

func parse(path string, source []byte) (Page, error) {
	p := Page{Path: path, Anchors: map[string]bool{}}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	line := 1 // of the last block that said where it is: links have no place of their own
	err := ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			line = 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
		}
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			b := Block{Text: string(n.Lines().Value(source)), Line: line}
			if n.Info != nil {
				words := strings.Fields(string(n.Info.Segment.Value(source)))
				b.Language, b.Marks = words[0], words[1:]
			}
			p.Blocks = append(p.Blocks, b)
		case *ast.Heading:
			p.addAnchor(string(n.Lines().Value(source)))
		case *ast.Link:
			p.Links = append(p.Links, Link{To: string(n.Destination), Line: line})
		case *ast.Image:
			p.Links = append(p.Links, Link{To: string(n.Destination), Line: line})
		case *ast.CodeSpan:
			p.Spans = append(p.Spans, Span{Text: spanText(n, source), Line: line})
		}
		return ast.WalkContinue, nil
	})
	return p, err
}

func spanText(n *ast.CodeSpan, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// addAnchor names a heading as forges do: lower case, letters, digits, - and _
// kept, a space is -, and a name that was there gets a number.
func (p *Page) addAnchor(heading string) {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			return r
		}
		return -1
	}, strings.ToLower(strings.TrimSpace(heading)))
	unique := name
	for n := 1; p.Anchors[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	p.Anchors[unique] = true
}
