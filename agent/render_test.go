package agent

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/client"
)

func config(data string) client.Config {
	return client.Config{Profile: "p", Version: "1.2.3", Generation: 7, Hash: "abc", ActiveGroup: "green", Data: []byte(data)}
}

func TestRender(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		format Format
		data   string
		want   string
	}{
		"json keeps numbers as they are": {FormatJSON, `{"a":123456789012345678901234567890,"b":"<&>","c":[]}`,
			"{\n  \"a\": 123456789012345678901234567890,\n  \"b\": \"<&>\",\n  \"c\": []\n}\n"},
		"yaml tells whole numbers from others": {FormatYAML, `{"b":1,"a":1.5,"c":18446744073709551615,"d":{"x":[true,null,"no"]},"e":10000000}`,
			"a: 1.5\nb: 1\nc: 18446744073709551615\nd:\n  x:\n    - true\n    - null\n    - \"no\"\ne: 10000000\n"},
		"toml sorts and nests": {FormatTOML, `{"b":1,"a":1.5,"t":{"y":[1,2],"x":"s"}}`,
			"a = 1.5\nb = 1\n\n[t]\nx = 's'\ny = [1, 2]\n"},
		"toml leaves nulls out": {FormatTOML, `{"a":null,"b":{"c":null,"d":1}}`, "[b]\nd = 1\n"},
		"env names":             {FormatEnv, `{"maxRetries":3,"httpClient":{"HTTPPort":80,"a-b.c":1},"9lives":true,"ünï":1,"x2Y":1}`, "HTTP_CLIENT_A_B_C=1\nHTTP_CLIENT_HTTP_PORT=80\nMAX_RETRIES=3\nX2_Y=1\n_9LIVES=true\n_N_=1\n"},
		"env values": {FormatEnv, `{"a":null,"b":"plain-1.2","c":"two words","d":"q\"$` + "`" + `\\","e":"l1\nl2","f":false,"g":1.5,"h":""}`,
			"A=\nB=plain-1.2\nC=\"two words\"\nD=\"q\\\"\\$\\`\\\\\"\nE=\"l1\nl2\"\nF=false\nG=1.5\nH=\n"},
		"env arrays": {FormatEnv, `{"a":[1,"x",true],"b":["x,y"],"c":[{"k":"<"}],"d":[],"e":{},"f":[[1]]}`,
			"A=1,x,true\nB=\"[\\\"x,y\\\"]\"\nC=\"[{\\\"k\\\":\\\"<\\\"}]\"\nD=\nF=\"[[1]]\"\n"},
	}
	for name, tc := range cases {
		for range 3 { // the same bytes each time
			got, err := render(config(tc.data), tc.format, "")
			if err != nil || string(got) != tc.want {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, tc.want)
			}
		}
	}
}

func TestRenderTemplate(t *testing.T) {
	t.Parallel()
	data := `{"n":3,"s":"a b","list":["x","y"],"db":{"host":"h","port":5432},"empty":""}`
	cases := map[string]struct{ text, want string }{
		"fields":           {`{{.Profile}} {{.Version}} {{.Generation}} {{.Hash}} {{.Data.db.port}} {{.ActiveGroup}}`, "p 1.2.3 7 abc 5432 green"},
		"json":             {`{{json .Data.db}}`, `{"host":"h","port":5432}`},
		"yaml with indent": {`db:` + "\n  " + `{{yaml .Data.db | indent 2}}`, "db:\n  host: h\n  port: 5432"},
		"text":             {`{{quote .Data.s}} {{upper .Data.s}} {{lower "A"}} {{replace " " "-" .Data.s}} {{join ", " .Data.list}}`, `"a b" A B a a-b x, y`},
		"default":          {`{{index .Data "none" | default "d"}} {{default "d" .Data.empty}} {{default "d" .Data.n}}`, "d d 3"},
		"required":         {`{{required "n" .Data.n}}`, "3"},
		"range":            {`{{range .Data.list}}[{{.}}]{{end}}`, "[x][y]"},
	}
	for name, tc := range cases {
		got, err := render(config(data), FormatTemplate, tc.text)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tc.want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		format Format
		data   string
		text   string
		want   string
	}{
		"no object":                    {FormatYAML, `[1]`, "", "decode data"},
		"a number beyond yaml":         {FormatYAML, `{"a":{"b":[1e999]}}`, "", "$.a.b[0]: number 1e999 is out of range"},
		"a number beyond toml":         {FormatTOML, `{"a":[{"b":18446744073709551615}]}`, "", "$.a[0].b: number 18446744073709551615 is out of range"},
		"null in a toml array":         {FormatTOML, `{"a":[1,null]}`, "", "$.a[1]: null"},
		"two keys of one name":         {FormatEnv, `{"aB":1,"a":{"b":2}}`, "", "$.a.b and $.aB are both named A_B"},
		"NUL in a variable":            {FormatEnv, `{"a":"\u0000"}`, "", "$.a: a NUL character"},
		"a template that is broken":    {FormatTemplate, `{}`, "{{", "unclosed action"},
		"a template that misses a key": {FormatTemplate, `{}`, "{{.Data.x}}", `no entry for key "x"`},
		"what a template requires":     {FormatTemplate, `{}`, `{{required "the host" (index .Data "host")}}`, "the host is required"},
		"endless templates":            {FormatTemplate, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, `{{range 17}}{{$.Data.a}}{{end}}`, "larger than 16 MiB"},
		"an unknown format":            {"xml", `{}`, "", "unknown format"},
	}
	for name, tc := range cases {
		if got, err := render(config(tc.data), tc.format, tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %.80q, %v, want an error with %q", name, got, err, tc.want)
		}
	}
}

func TestFormatByTheFilesEnding(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]Format{"a.json": FormatJSON, "a.YML": FormatYAML, "a.yaml": FormatYAML, "a.toml": FormatTOML, ".env": FormatEnv, "app.conf": FormatJSON} {
		if got := formatOf(file, ""); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
