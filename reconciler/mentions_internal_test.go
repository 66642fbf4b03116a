package reconciler

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// oneFile is a tree of one file.
type oneFile string

func (f oneFile) ReadFile(path string) ([]byte, error) {
	if path == "p.yaml" {
		return []byte(f), nil
	}
	return nil, fs.ErrNotExist
}

// bearing are files that bear the name pay.eu-1, each written otherwise.
var bearing = func() (out []string) {
	for _, line := range []string{
		"name: pay.eu-1", "name: 'pay.eu-1'", `name: "pay.eu-1"`, `"name": "pay.eu-1"`, "name: !!str pay.eu-1", "? name\n: pay.eu-1",
		"name: &n pay.eu-1", "name: |-\n  pay.eu-1", "name: >-\n  pay.eu-1", "name:\n  pay.eu-1", "name: pay.eu-1 # pay", `name: "pay\x2eeu-1"`, `name: "pay.\
  eu-1"`, "<<: {name: pay.eu-1}",
	} {
		out = append(out, "apiVersion: sluice/v1\nkind: ConfigProfile\n"+line+"\nservice: s\nenvironment: Staging\ndata: {x: 1}\n")
	}
	return append(out,
		`{"apiVersion": "sluice/v1", "kind": "ConfigProfile", "name":"pay.eu-1","service": "s", "environment": "Staging", "data": {"x": 1}}`,
		"apiVersion: sluice/v1\nkind: ConfigProfile\nservice: &n pay.eu-1\nname: *n\nenvironment: Staging\ndata: {x: 1}\n",
	)
}()

// nameIn is the name that a sound file bears, "" for another.
func nameIn(src string) string {
	p, err := profile.NewLoader("", profile.DefaultLimits()).Load(oneFile(src), "p.yaml")
	if err != nil {
		return ""
	}
	return p.Name
}

// alone says whether a file is taken for the only one that can bear the name, beside another.
func alone(name, other string) bool {
	m := newMentions(2)
	m.bear(name)
	m.read([]byte(other))
	return m.alone(name)
}

func TestANameStandsInItsFile(t *testing.T) {
	t.Parallel()
	written := 0
	for _, src := range bearing {
		if got := nameIn(src); got != "pay.eu-1" {
			continue // the loader refuses it, which is as good
		}
		written++
		if !escapes([]byte(src)) && alone("pay.eu-1", src) {
			t.Errorf("the name is not found in\n%s", src)
		}
	}
	if written < 12 {
		t.Errorf("%d of the files bear the name", written)
	}
	for _, other := range []string{"", "pay.eu-10", "xpay.eu-1", "pay eu-1", "Pay.eu-1", "pay/eu-1", strings.Repeat("a", 300)} {
		if !alone("pay.eu-1", other) {
			t.Errorf("the name is found in %q", other)
		}
	}
}

func TestNobodyHasAWordOfSeveralAlone(t *testing.T) {
	t.Parallel()
	m := newMentions(3)
	for _, src := range []string{"a b a", "b c", "c a d d"} {
		m.read([]byte(src))
	}
	for word, want := range map[string]bool{"a": false, "b": false, "c": false, "d": true} {
		if got := m.alone(word); got != want {
			t.Errorf("%s stands in one file alone: %v", word, got)
		}
	}
}

// Names that differ in their last letters share no counters because of that: who is not alone by
// its words waits.
func TestNamesThatAreAlikeHaveCountersOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, files := range []int{20, 1000, 10_000} {
		m := newMentions(files)
		name := func(file int) string { return fmt.Sprintf("service-%05d.production", file) }
		for file := range files {
			m.read(fmt.Appendf(nil, "kind: ConfigProfile\nname: %s\nservice: service-%05d\nport: %d\n", name(file), file, file))
		}
		shared := 0
		for file := range files {
			if !m.alone(name(file)) {
				shared++
			}
		}
		if shared > files/100 {
			t.Errorf("%d of %d names are not alone", shared, files)
		}
	}
}

// Whatever bears a name has it in its bytes, or has an escape.
func FuzzANameStandsInItsFile(f *testing.F) {
	for _, src := range bearing {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if name := nameIn(src); name != "" && !escapes([]byte(src)) && alone(name, src) {
			t.Errorf("the name %q is not found in\n%q", name, src)
		}
	})
}
