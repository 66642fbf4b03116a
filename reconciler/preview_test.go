package reconciler_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
)

// told is a preview in a few lines.
func told(p reconciler.Preview) string {
	out := []string{fmt.Sprintf("passed %v", p.Passed)}
	for _, one := range p.Profiles {
		line := fmt.Sprintf("%s at %s: %s to %s, %s", one.Name, one.Path, one.Was, one.Next, one.Bump)
		for word, on := range map[string]bool{", breaking": one.Breaking, ", retires": one.Retires, ", not valid": !one.Valid} {
			if on {
				line += word
			}
		}
		if one.Guard != "" {
			line += ", guard: " + one.Guard
		}
		out = append(out, line)
	}
	for _, one := range p.Problems {
		out = append(out, "problem "+one.Error())
	}
	for _, one := range p.Warnings {
		out = append(out, one.Error())
	}
	return strings.Join(out, "\n")
}

func bytesOf(fs files) map[string][]byte {
	out := map[string][]byte{}
	for file, content := range fs {
		out[file] = []byte(content)
	}
	return out
}

// A preview says what the merge of the files would do, and does nothing.
func TestPreviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := files{
		"schemas/pay.yaml": paySchema, "profiles/a.yaml": retrying("3"), "profiles/base.yaml": base("y: 1"),
		"profiles/b.yaml": doc("b", "x: 1", "extends: [base.yaml]"), "profiles/c.yaml": doc("c", "x: 1"),
	}
	w.deployed(start)
	whole := func(change files) files {
		out := maps.Clone(start)
		maps.Copy(out, change)
		maps.DeleteFunc(out, func(_, content string) bool { return content == gone })
		return out
	}
	const noSchema = "warning: no schema: nothing checks this profile's data ($.schema)"
	for name, tc := range map[string]struct {
		files   files
		partial bool
		want    string
	}{
		"the same tree": {start, false, `
			passed true
			b at profiles/b.yaml: 1.0.0 to , none
			c at profiles/c.yaml: 1.0.0 to , none
			pay.staging at profiles/a.yaml: 1.0.0 to , none
			profiles/b.yaml:1:1: ` + noSchema + `
			profiles/c.yaml:1:1: ` + noSchema},
		"one file": {files{"profiles/c.yaml": doc("c", "x: 2")}, true, `
			passed true
			c at profiles/c.yaml: 1.0.0 to 1.0.1, patch
			profiles/c.yaml:1:1: ` + noSchema},
		"a base, and who extends it": {files{"profiles/base.yaml": base("y: 1, z: 1")}, true, `
			passed true
			b at profiles/b.yaml: 1.0.0 to 1.1.0, minor
			profiles/b.yaml:1:1: ` + noSchema},
		"a broken file": {files{"profiles/a.yaml": retrying("six")}, true, `
			passed false
			pay.staging at profiles/a.yaml: 1.0.0 to , none, not valid
			problem profiles/a.yaml:7:17: got string, want integer ($.data.retries)`},
		"a schema that nobody names": {files{"schemas/other.yaml": "type: strng\n"}, true, `
			passed false
			problem schemas/other.yaml:1:1: not a valid JSON Schema: $.type: fits none of the alternatives: value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'; got string, want array`},
		"a schema that breaks its word": {files{"schemas/pay.yaml": withMaximum("4"), "profiles/a.yaml": retrying("4")}, true, `
			passed true
			pay.staging at profiles/a.yaml: 1.0.0 to 1.0.1, patch, guard: ` + tighterText + `
			profiles/a.yaml: warning: ` + tighterText + ` ($.schema)`},
		"a file that leaves": {whole(files{"profiles/c.yaml": gone, "profiles/b.yaml": doc("b", "w: 1", "extends: [base.yaml]")}), false, `
			passed true
			b at profiles/b.yaml: 1.0.0 to 2.0.0, major, breaking
			c at profiles/c.yaml: 1.0.0 to , none, retires
			pay.staging at profiles/a.yaml: 1.0.0 to , none
			profiles/b.yaml:1:1: ` + noSchema},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := w.r.Preview(t.Context(), bytesOf(tc.files), tc.partial)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := told(p), lines(tc.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", indent(got), indent(want))
			}
		})
	}
	w.expect(``)
}

// Files of no source are looked at by themselves, and by what was registered.
func TestPreviewsWithoutASource(t *testing.T) {
	t.Parallel()
	s := newFakeStore()
	s.data.profiles["taken"] = profile.Record{Name: "taken", Origin: profile.OriginAPI}
	s.register(t, "pay", retriesUpTo+`5}}}`, profile.SchemaDraft)
	p, err := reconciler.PreviewFiles(t.Context(), reconciler.PreviewOptions{Store: s}, bytesOf(files{
		"a.yaml": paying("3")["profiles/a.yaml"], "b.yaml": doc("taken", "x: 1"), "c.yaml": "a: 1\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := lines(`
		passed false
		pay at a.yaml:  to 1.0.0, none, not valid
		taken at b.yaml:  to , none, not valid
		problem a.yaml: not deployed: 1.0.0: schema pay 1.0.0 is Draft, and Production deploys only against an Approved one: an Admin approves it with sluice schema approve pay --version 1.0.0
		problem b.yaml: profile taken is already managed by the API`)
	if got := told(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", indent(got), indent(want))
	}
}

// closed opens no secret.
type closed struct{}

func (closed) RefProblem(string, string) string { return "nobody keeps it" }

func (closed) SopsProblem(profile.SopsFile) string { return "nobody has its key" }

// A secret that will not open is said where it stands, as a pull request is told.
func TestPreviewsOfSecretsThatWillNotOpen(t *testing.T) {
	t.Parallel()
	p, err := reconciler.PreviewFiles(t.Context(), reconciler.PreviewOptions{Store: newFakeStore(), Keeper: closed{}}, bytesOf(files{
		"a.yaml": doc("a", `key: {$secret: "vault:secret/a#key"}`),
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) == 0 || !strings.Contains(fmt.Sprint(p.Warnings), "the secret will not open: nobody keeps it") {
		t.Errorf("it warns of %v", p.Warnings)
	}
}
