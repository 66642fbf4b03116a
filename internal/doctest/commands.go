package doctest

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Commands are the command lines of a shell text that call the program: all
// their words after its name, with quotes taken away and whatever the shell
// would fill in left as it is written.
func Commands(shell, program string) ([][]string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(shell), "")
	if err != nil {
		return nil, fmt.Errorf("not the shell's language: %w", err)
	}
	var found [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		if len(call.Args) == 0 {
			return true // variables alone
		}
		words := make([]string, len(call.Args))
		for i, w := range call.Args {
			words[i] = wordText(w)
		}
		if words[0] == "xargs" {
			words = append(words, "X") // what it reads
		}
		for i, w := range words {
			if w == program && (i == 0 || words[0] == "xargs") {
				found = append(found, words[i+1:])
			}
		}
		return true
	})
	return found, nil
}

func wordText(w *syntax.Word) string {
	var b strings.Builder
	var add func(parts []syntax.WordPart)
	add = func(parts []syntax.WordPart) {
		for _, part := range parts {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(part.Value)
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				add(part.Parts)
			default:
				b.WriteString("X") // what the shell would fill in
			}
		}
	}
	add(w.Parts)
	return b.String()
}
