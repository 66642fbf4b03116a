package openapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
)

// Comments are what the sources of a package say of its types, by "Type" and
// "Type.Field".
type Comments map[string]string

// ReadComments reads the Go files of a folder. It returns an error for a file
// that is not Go.
func ReadComments(sources fs.FS) (Comments, error) {
	names, err := fs.Glob(sources, "*.go")
	if err != nil {
		return nil, err
	}
	out := Comments{}
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read the comments of %s: %w", name, err)
		}
		for _, d := range file.Decls {
			if types, ok := d.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				out.note(types)
			}
		}
	}
	return out, nil
}

func (c Comments) note(types *ast.GenDecl) {
	for _, spec := range types.Specs {
		one, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		doc := one.Doc
		if doc == nil {
			doc = types.Doc
		}
		c[one.Name.Name] = flowing(doc)
		fields, ok := one.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range fields.Fields.List {
			for _, name := range field.Names {
				c[one.Name.Name+"."+name.Name] = strings.TrimSpace(flowing(field.Doc) + " " + flowing(field.Comment))
			}
		}
	}
}

// flowing is a comment as one line of text.
func flowing(doc *ast.CommentGroup) string {
	if doc == nil {
		return ""
	}
	return strings.Join(strings.Fields(doc.Text()), " ")
}

// of is what is said of a field, called by the name it has in JSON.
func (c Comments) of(typeName, field, called string) string {
	text := c[typeName+"."+field]
	if rest, ok := strings.CutPrefix(text, field+" "); ok {
		return called + " " + rest
	}
	return text
}
