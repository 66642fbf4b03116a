package compat_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/compat"
)

var update = flag.Bool("update", false, "write the generated parts of docs/clients.md again")

// section replaces what stands between two marks of docs/clients.md, or says that it differs.
func section(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", "clients.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin: "+name+" -->\n", "<!-- end: "+name+" -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no part %q", file, name)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s: the part %q is not what it should be: go test ./api/compat -run %s -update\n%s", file, name, t.Name(), want)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil { //nolint:gosec // a page of the documentation
		t.Fatal(err)
	}
}

// The page's table is the one that the protocols have.
func TestReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| `clients` | who | asks for | and gets |\n|---|---|---|---|\n")
	for _, p := range compat.Protocols() {
		for _, c := range p.Coordinates {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, p.Clients, c.Asked, c.Gives)
		}
	}
	b.WriteString("\n| `clients` | doors | token |\n|---|---|---|\n")
	for _, p := range compat.Protocols() {
		var doors []string
		for _, r := range p.Routes {
			if door := "`" + r.Method + " " + r.Path + "`"; r.Method == "GET" || r.Method == "POST" {
				doors = append(doors, door)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, strings.Join(doors, "<br>"), p.TokenAt)
	}
	b.WriteString("\n")
	section(t, "coordinates", b.String())
}

// A protocol says all that the frame asks of it, and no two answer at the same door.
func TestProtocolsAreWhole(t *testing.T) {
	t.Parallel()
	doors := map[string]string{}
	for _, p := range compat.Protocols() {
		if p.Name == "" || p.Clients == "" || p.TokenAt == "" || p.Token == nil || p.Refuse == nil || len(p.Routes) == 0 || len(p.Coordinates) == 0 {
			t.Errorf("%q leaves something out: %+v", p.Name, p)
		}
		for _, r := range p.Routes {
			door := r.Method + " " + r.Path
			if other, taken := doors[door]; taken || r.Handle == nil {
				t.Errorf("%s of %s: no handler, or %q has it too", door, p.Name, other)
			}
			doors[door] = p.Name
		}
	}
}
