package doctest_test

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/doctest"
)

const root = "../.."

func pages(t *testing.T) []doctest.Page {
	t.Helper()
	all, err := doctest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every link between pages leads to a file that is there, and to a heading of it.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := map[string]doctest.Page{}
	for _, p := range pages(t) {
		all[p.Path] = p
	}
	checked := 0
	for _, p := range all {
		for _, link := range p.Links {
			to, err := url.Parse(link.To)
			if err != nil {
				t.Errorf("%s:%d: %v", p.Path, link.Line, err)
				continue
			}
			if to.Scheme != "" {
				continue // elsewhere: nothing here asks the Internet
			}
			checked++
			target := p.Path
			if to.Path != "" {
				target = path.Join(path.Dir(p.Path), to.Path)
			}
			if strings.HasPrefix(target, "..") {
				t.Errorf("%s:%d: %s leads out of the project", p.Path, link.Line, link.To)
			} else if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s:%d: %s leads nowhere", p.Path, link.Line, link.To)
			} else if to.Fragment != "" && !all[target].Anchors[to.Fragment] {
				t.Errorf("%s:%d: %s has no heading #%s", p.Path, link.Line, target, to.Fragment)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were found: the pages have more", checked)
	}
}

// Every page of docs/ is in its list.
func TestEveryPageIsListed(t *testing.T) {
	t.Parallel()
	index, err := doctest.ReadPage(root, "docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, link := range index.Links {
		listed[path.Join("docs", link.To)] = true
	}
	for _, p := range pages(t) {
		if path.Dir(p.Path) == "docs" && path.Base(p.Path) != "README.md" && !listed[p.Path] {
			t.Errorf("docs/README.md does not list %s", p.Path)
		}
	}
}
