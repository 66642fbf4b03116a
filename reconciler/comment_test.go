package reconciler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/reconciler"
)

// parts are what a hostile file can try to get out of its place with.
var parts = []string{
	"`", "``", "```", "````", "~~~", "|", "\\", "\\|", "@evil", "<img src=x>", "<!--", "-->", "</details>", "<script>", "[a](http://evil.example)",
	"http://evil.example", "www.evil.example", "evil@evil.example", "#1", "**", "_", "> ", "- ", "# ", "&#64;evil", "\n", "\n\n", "\t", " ", "\u202e", "\x00", "a", "$", "§",
}

// TestNothingBreaksOutOfTheCode: whatever text a repository brings, a forge reads
// it as code, in sentences, tables and blocks.
func TestNothingBreaksOutOfTheCode(t *testing.T) {
	t.Parallel()
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser()
	rapid.Check(t, func(rt *rapid.T) {
		hostile := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 12).Draw(rt, "text"), "")
		src := []byte(fmt.Sprintf("Said: %s.\n\n- %s\n\n| A | B |\n| --- | --- |\n| %s | ours |\n\n%s\nThe end.\n", reconciler.Code(hostile),
			reconciler.Code(hostile), reconciler.Cell(hostile), reconciler.Block("diff", []string{"+" + reconciler.Printable(hostile), reconciler.Printable(hostile)})))
		counts := map[ast.NodeKind]int{}
		if err := ast.Walk(markdown.Parse(text.NewReader(src)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if entering {
				counts[n.Kind()]++
			}
			return ast.WalkContinue, nil
		}); err != nil {
			rt.Fatal(err)
		}
		for _, kind := range []ast.NodeKind{
			ast.KindLink, ast.KindAutoLink, ast.KindImage, ast.KindRawHTML, ast.KindHTMLBlock, ast.KindEmphasis, ast.KindHeading, ast.KindBlockquote,
		} {
			if counts[kind] > 0 {
				rt.Fatalf("a %s came of %q:\n%s", kind, hostile, src)
			}
		}
		if blocks, list := counts[ast.KindFencedCodeBlock], counts[ast.KindListItem]; blocks != 1 || list != 1 || counts[ast.KindParagraph] != 2 {
			rt.Fatalf("%d blocks, %d items, %d paragraphs of %q:\n%s", blocks, list, counts[ast.KindParagraph], hostile, src)
		}
		if spans := counts[ast.KindCodeSpan]; spans != 3 && strings.TrimSpace(reconciler.Printable(hostile)) != "" {
			rt.Fatalf("%d pieces of code of %q:\n%s", spans, hostile, src)
		}
	})
}

// TestACommentHasRoom: a pull request that changes very much is told as much as
// a comment takes, and how much is left out.
func TestACommentHasRoom(t *testing.T) {
	t.Parallel()
	h := newHarbour(t)
	h.push(files{"profiles/base.yaml": base("greeting: hello")})
	fs := files{}
	for i := range 300 {
		fs[fmt.Sprintf("profiles/p/p%03d.yaml", i)] = doc(fmt.Sprintf("p%03d", i),
			fmt.Sprintf(`%s: %s, "`+"`````"+`": 1`, strings.Repeat("k", 50), strings.Repeat("v", 900)), "extends: [../base.yaml]")
	}
	head := h.propose(7, fs)
	h.pass(reconciler.PullsResult{Checked: 1})
	body := h.comment(7)
	if len(body) > 60_000 || !strings.Contains(body, "merging this changes 300 profiles") || !strings.Contains(body, "and 200 more.") ||
		!strings.Contains(body, "told of no further here") || !strings.HasSuffix(body, "checks it again.\n") {
		t.Errorf("a comment of %d bytes ends\n%s", len(body), body[max(0, len(body)-1500):])
	}
	if s := h.status(head); !strings.HasPrefix(s.Description, "300 profiles: p000 1.0.0 (new), ") || len([]rune(s.Description)) > 140 {
		t.Errorf("status %s", s.Description)
	}
}
