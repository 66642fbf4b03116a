package profile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// hostile is YAML that must never pass, and part of what is said about it. It is also where fuzzing starts.
var hostile = map[string]struct{ src, want string }{
	"an alias bomb":                  {aliasBomb(), "aliases"},
	"an alias inside its own anchor": {head + "data: {a: &a [*a]}\n", "alias *a stands inside its own anchor"},
	"a map inside itself":            {head + "data: &a {b: *a}\n", "inside its own anchor"},
	"an unknown alias":               {head + "data: {a: *b}\n", "unknown anchor"},
	"a merge of itself":              {head + "data: &a {<<: *a}\n", "inside its own anchor"},
	"a merge of a list key":          {head + "data: {<<: {[a]: b}}\n", "a key must be text"},
	"two merge keys":                 {head + "data: {<<: {a: 1}, <<: {b: 1}}\n", "duplicate key <<"},
	"merges past the keys of a map":  {head + bigMerge(), "more than 2000 keys after merging"},
	"60,000 keys":                    {head + "data:\n" + lines(60_000, "  k%d: 1\n"), "lines, at most 50000"},
	"100,000 keys on a line":         {head + "data: {" + lines(100_001, "k%d: 1,") + "}\n", "commas and brackets, at most 100000"},
	"2,001 keys":                     {head + "data:\n" + lines(2001, "  k%d: 1\n"), "map has 2001 keys, at most 2000"},
	"50,001 values":                  {head + "data: {a: [" + strings.Repeat("1,", 50_001) + "]}\n", "more than 50000 values"},
	"aliases past the values":        {head + "data: {a: &a [" + strings.Repeat("1,", 100) + "], b: [" + strings.Repeat("*a,", 900) + "]}\n", "more than 50000 values"},
	"aliases past their number":      {head + "data: {a: &a 1, b: [" + strings.Repeat("*a,", 1001) + "]}\n", "more than 1000 aliases"},
	"100 levels":                     {head + "data: {a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n", "nested more than 64 deep"},
	"100,000 levels":                 {head + "data: " + strings.Repeat("[", 99_000), "YAML syntax"},
	"100,000 levels of blocks":       {head + "data:\n  " + strings.Repeat("- ", 100_000), "max depth"},
	"100,000 complex keys":           {strings.Repeat("? ", 100_000), "max depth"},
	"a key of 2 KiB":                 {head + "data:\n  ? " + strings.Repeat("k", 2048) + "\n  : 1\n", "key has 2048 bytes, at most 1024"},
	"more than 1 MiB":                {head + "#" + strings.Repeat("x", 1<<20), "at most 1048576 are read"},
	"a byte order mark":              {"\xef\xbb\xbf" + head, "byte order mark"},
	"a byte order mark inside":       {head + "description: \ufeffx\n", "control character U+FEFF"},
	"UTF-16":                         {"\xff\xfea\x00", "UTF-16"},
	"UTF-16, the other end":          {"\xfe\xff\x00a", "UTF-16"},
	"invalid UTF-8":                  {head + "description: \xff\n", "a.yaml:6:14: invalid UTF-8"},
	"a zero byte":                    {head + "description: a\x00b\n", "control character U+0000"},
	"an escape":                      {head + "description: \x1b[2J\n", "control character U+001B"},
	"a C1 control":                   {head + "description: \u009b2J\n", "control character U+009B"},
	"text that is shown reordered":   {head + "description: \u202eabc\n", "control character U+202E"},
	"malformed by fuzzing":           {"0: [:!00 \xef", "UTF-8"},
	"a tab":                          {head + "data:\n\tx: 1\n", ":7:1: YAML syntax: a tab indents this line"},
	"malformed, second":              {"0: [:!00 \u00ef", "YAML syntax"},
	"a tag directive":                {"%TAG ! tag:x,2000:\n---\n" + head + "data: {a: !x 1}\n", "is not known here"},
	"a tag with an escape":           {head + "data: {a: !%1b[2J 1}\n", "a.yaml:"},
	"nothing but comments":           {"# a\n# b\n", "file is empty"},
	"a scalar":                       {"5\n", "a file must be an object, got number"},
	"null":                           {"~\n", "a file must be an object, got null"},
	"a null name":                    {"apiVersion: sluice/v1\nkind: ConfigProfile\nname: ~\nservice: s\nenvironment: Staging\n", "missing field"},
	"a name of 5,000 characters":     {"apiVersion: sluice/v1\nkind: ConfigProfile\nname: " + strings.Repeat("n", 5000) + "\n", "at most 4096"},
	"a forged line":                  {head + "\"a\\nb.yaml:1:1: fine\": 1\n", "unknown field"},
	"20,000 unknown fields":          {head + lines(1500, "u%d: 1\n"), "more problems"},
	"101 settings":                   {head + "settings:\n" + lines(101, "  k%d: 1\n"), "settings has 101 keys"},
	"settings of 20 KiB":             {head + "settings: {a: " + strings.Repeat("x", 20_000) + "}\n", "settings has 20008 bytes"},
	"33 labels":                      {head + "targets: {labels: {" + lines(33, "k%d: a,") + "}}\n", "labels has 33 keys"},
	"21 windows":                     {head + "windows: {deny: [" + strings.Repeat("'10:00-11:00 UTC',", 21) + "]}\n", "has 21 windows, at most 20"},
	"21 steps":                       {head + "strategy: {type: Canary, steps: [" + lines(21, "%d,") + "]}\n", "steps has 21 entries"},
	"no steps":                       {head + "strategy: {type: Canary, steps: []}\n", "at least one"},
	"21 metrics":                     {head + "health: {metrics: [" + lines(21, "{name: m%d, query: q, min: 1},") + "]}\n", "has 21 metrics, at most 20"},
	"a query of 4 KiB":               {head + "health: {metrics: [{name: a, min: 1, query: " + strings.Repeat("q", 4097) + "}]}\n", "at most 4096"},
	"an endpoint with a space":       {head + "health: {endpoint: '/a b'}\n", "spaces"},
	"an endpoint of 1 KiB":           {head + "health: {endpoint: /" + strings.Repeat("a", 1024) + "}\n", "more than 512"},
	"17 bases":                       {head + "extends: [" + strings.Repeat("b.yaml,", 17) + "]\n", "names 17 files, at most 16"},
	"a duration list":                {head + "health: {checkInterval: [1s]}\n", "must be a duration"},
	"a number as duration":           {head + "health: {checkInterval: 30}\n", "must be a duration"},
	"a wrong list":                   {head + "strategy: {steps: 10}\n", "steps must be a list of percentages"},
	"a number as name":               {"apiVersion: sluice/v1\nkind: ConfigProfile\nname: 5\nservice: s\nenvironment: Staging\n", "must be a string, got number: quote it"},
	"an infinite metric bound":       {head + "health: {metrics: [{name: a, query: q, min: .inf}]}\n", "not a finite number"},
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString(head + "data:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		ref := fmt.Sprintf("*a%d,", i)
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(ref, 10))
	}
	return b.String()
}

func bigMerge() string {
	return "data:\n  a: &a {" + lines(1500, "a%d: 1,") + "}\n  b: &b {" + lines(1500, "b%d: 1,") + "}\n  c: {<<: [*a, *b]}\n"
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestHostileYAML(t *testing.T) {
	t.Parallel()
	for rule, tc := range hostile {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := profile.Load(repo("a.yaml", tc.src), "", "a.yaml", profile.DefaultLimits())
			got := problem(t, err)
			if !strings.Contains(got, tc.want) {
				t.Errorf("got %.500s, want %q", got, tc.want)
			}
			if n := strings.Count(got, "\n"); n > 51 || len(got) > 51*1024 {
				t.Errorf("report of %d lines and %d bytes", n, len(got))
			}
			if strings.ContainsAny(got, "\x00\x1b\u009b\u202e\ufeff") {
				t.Errorf("report can move a cursor: %q", got)
			}
			for line := range strings.Lines(got) {
				if !strings.HasPrefix(line, "a.yaml:") {
					t.Errorf("forged line %q", line)
				}
			}
		})
	}
}

func TestHostileOverlays(t *testing.T) {
	t.Parallel()
	chain := repo("a.yaml", head+"extends: [b0.yaml]\n")
	for i := range 40 {
		chain[fmt.Sprintf("b%d.yaml", i)] = repo("x", baseHead+fmt.Sprintf("extends: [b%d.yaml]\n", i+1))["x"]
	}
	var names strings.Builder
	fan := repo()
	for i := range 3 {
		fmt.Fprintf(&names, "c%d.yaml,", i)
		fan[fmt.Sprintf("c%d.yaml", i)] = repo("x", baseHead+"extends: ["+lines(16, fmt.Sprintf("d%d-%%d.yaml,", i))+"]\n")["x"]
		for j := range 16 {
			fan[fmt.Sprintf("d%d-%d.yaml", i, j)] = repo("x", baseHead+"data: {a: 1}\n")["x"]
		}
	}
	fan["a.yaml"] = repo("x", head+"extends: ["+names.String()+"]\n")["x"]
	wide := repo("a.yaml", head+"extends: [b0.yaml, b1.yaml, b2.yaml]\ndata: {y: 1}\n")
	heavy := repo("a.yaml", head+"extends: [b0.yaml, b1.yaml, b2.yaml, b3.yaml, b4.yaml]\n")
	large := repo("a.yaml", head+"extends: [b0.yaml, b1.yaml]\n")
	for i := range 5 {
		wide[fmt.Sprintf("b%d.yaml", i)] = repo("x", baseHead+fmt.Sprintf("data: {k%d: [", i)+strings.Repeat("1,", 20_000)+"]}\n")["x"]
		heavy[fmt.Sprintf("b%d.yaml", i)] = repo("x", baseHead+"#"+strings.Repeat("x", 1_000_000)+"\n")["x"]
		large[fmt.Sprintf("b%d.yaml", i)] = repo("x", baseHead+fmt.Sprintf("data: {k%d: ", i)+strings.Repeat("x", 600_000)+"}\n")["x"]
	}
	for rule, tc := range map[string]struct {
		files files
		want  string
	}{
		"a chain of 40 bases":               {chain, "more than 16 files deep"},
		"51 bases":                          {fan, "at most 32 files"},
		"60,000 values in three bases":      {wide, "more than 50000 values"},
		"5 MB of bases":                     {heavy, "more than 4194304 bytes together"},
		"effective data of more than 1 MiB": {large, "effective data has"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := profile.Load(tc.files, "", "a.yaml", profile.Limits{})
			if got := problem(t, err); !strings.Contains(got, tc.want) {
				t.Errorf("got %.500s, want %q", got, tc.want)
			}
		})
	}
}

// TestDiamondsAreLoadedOnce would take 16^15 loads if each base was loaded wherever it is named.
func TestDiamondsAreLoadedOnce(t *testing.T) {
	t.Parallel()
	f := repo("a.yaml", head+"extends: ["+strings.Repeat("b0.yaml,", 16)+"]\n", "b15.yaml", baseHead+"data: {x: 1}\n")
	for i := range 15 {
		f[fmt.Sprintf("b%d.yaml", i)] = repo("x", baseHead+"extends: ["+strings.Repeat(fmt.Sprintf("b%d.yaml,", i+1), 16)+"]\n")["x"]
	}
	p, err := profile.Load(f, "", "a.yaml", profile.Limits{})
	if err != nil || string(profile.Canonical(p.Data)) != `{"x":1}` {
		t.Errorf("got %v, %v", p.Data, err)
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule, src string
		want      profile.FileKind
	}{
		{"a profile", head, profile.KindProfile},
		{"a base", baseHead, profile.KindBase},
		{"a kind alone", "kind: ConfigBase # ours\n", profile.KindBase},
		{"an apiVersion alone", "apiVersion: sluice/v9\n", profile.KindUnknown},
		{"another kind of ours", "apiVersion: sluice/v1\nkind: ConfigThing\n", profile.KindUnknown},
		{"somebody else's", "apiVersion: v1\nkind: ConfigMap\n", profile.KindNone},
		{"ours inside somebody else's", "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: |\n    apiVersion: sluice/v1\n    kind: ConfigProfile\n", profile.KindNone},
		{"a broken profile is still one", "apiVersion: sluice/v1\nkind: ConfigProfile\ndata: [\n", profile.KindProfile},
		{"a colon forgotten", "apiVersion sluice/v1\nkind ConfigProfile\n", profile.KindProfile},
		{"quoted", "'apiVersion': \"sluice/v1\"\n\"kind\": 'ConfigBase'\n", profile.KindBase},
		{"flow style", "{apiVersion: sluice/v1, kind: ConfigProfile, name: a}\n", profile.KindProfile},
		{"JSON", "{\n  \"apiVersion\": \"sluice/v1\",\n  \"kind\": \"ConfigBase\"\n}\n", profile.KindBase},
		{"Windows line ends", "apiVersion: sluice/v1\r\nkind: ConfigProfile\r\n", profile.KindProfile},
		{"a byte order mark", "\xef\xbb\xbfapiVersion: sluice/v1\nkind: ConfigProfile\n", profile.KindProfile},
		{"UTF-16", "\xff\xfek\x00i\x00n\x00d\x00:\x00 \x00C\x00o\x00n\x00f\x00i\x00g\x00B\x00a\x00s\x00e\x00\n\x00", profile.KindBase},
		{"nothing", "", profile.KindNone},
		{"more than 1 MiB", head + strings.Repeat("#\n", 1<<20), profile.KindProfile},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			if got := profile.Kind([]byte(tc.src)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if !profile.YAMLFile("a/b.yml") || profile.YAMLFile("a.json") {
		t.Error("YAMLFile")
	}
}
