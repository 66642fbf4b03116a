package clients_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts of docs/clients.md again")

// page is where people read how to set the clients up. What the tests run is taken from there.
var page = filepath.Join("docs", "clients.md")

func pageText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the first block of a language after a heading.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	_, after, ok := strings.Cut(pageText(t), "\n## "+heading+"\n")
	_, after, begun := strings.Cut(after, "\n```"+language+"\n")
	text, _, ended := strings.Cut(after, "\n```\n")
	if !ok || !begun || !ended {
		t.Fatalf("%s has no block of %s under %q", page, language, heading)
	}
	return text + "\n"
}

// keep holds a transcript against the page's, or writes it there.
func keep(t *testing.T, name, transcript string) {
	t.Helper()
	begin, end := "<!-- begin: transcript "+name+" -->\n", "<!-- end: transcript "+name+" -->\n"
	before, rest, ok := strings.Cut(pageText(t), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the transcript of %s", page, name)
	}
	want := "\n```text\n" + transcript + "```\n\n"
	if got == want {
		return
	}
	if !*update {
		t.Errorf("the transcript of %s is another than the page's: cd clients && go test . -run %s -update\n%s", name, t.Name(), want)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
