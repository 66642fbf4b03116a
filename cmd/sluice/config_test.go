package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

// managed is a daemon with one profile that the API manages.
func managed(t *testing.T) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	config := wire.Config{Name: "test.dev", Environment: "Development", ServiceName: "test", DefaultStrategy: "Direct"}
	version := wire.Version{ConfigName: "test.dev", Version: "1.0.0", SizeBytes: 7, Tags: []string{"lts"}}
	patched := version
	patched.Tags, patched.Deprecated = []string{"lts", "stable"}, "it leaks"
	d.answers("POST /configs", config)
	d.answers("GET /configs/test.dev", config)
	d.answers("PUT /configs/test.dev", config)
	d.answers("DELETE /configs/test.dev", struct{}{})
	d.answers("POST /configs/test.dev/versions", version)
	d.answers("GET /configs/test.dev/versions/1.0.0", version)
	d.answers("PATCH /configs/test.dev/versions/1.0.0", patched)
	d.answers("DELETE /configs/test.dev/versions/1.0.0", struct{}{})
	return d
}

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"data.yaml": "timeout: 1s\nratio: 1.50\n", "data.json": `{"a": 1}`, "bad.yaml": "a: 1\na: 2\n",
		"more.yaml": "defaultStrategy: {type: Rolling, batchSize: 2}\nsettings: {team: a}\n", "wrong.yaml": "owner: me\n",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, tt := range []struct {
		rule, request, out string
		code               int
		args               []string
	}{
		{"create", `POST /configs {"name":"test.dev","environment":"Development","schemaId":"test.v1","defaultStrategy":"Direct"}`, "test.dev is made: Development of test, by Direct\n", 0,
			[]string{"create", "test.dev", "--environment", "Development", "--schema", "test.v1", "--strategy", "Direct"}},
		{"create from a file", `POST /configs {"name":"test.dev","environment":"Staging","defaultStrategy":{"batchSize":2,"type":"Rolling"},"settings":{"team":"a"},"targetLabels":{"zone":"b"}}`, "is made", 0,
			[]string{"create", "test.dev", "--environment", "Staging", "-f", at("more.yaml"), "--label", "zone=b"}},
		{"create nowhere", "", "needs --environment", 2, []string{"create", "test.dev"}},
		{"create from something else", "", `unknown field "owner"`, 2, []string{"create", "test.dev", "--environment", "Staging", "-f", at("wrong.yaml")}},
		{"update", `PUT /configs/test.dev {"description":"x"}`, "test.dev is changed", 0, []string{"update", "test.dev", "--description", "x"}},
		{"delete unasked", "", "needs --yes", 2, []string{"delete", "test.dev"}},
		{"delete", "DELETE /configs/test.dev", "test.dev is deleted", 0, []string{"delete", "test.dev", "-y"}},
		{"upload YAML", `POST /configs/test.dev/versions {"configData":{"ratio":1.5,"timeout":"1s"}}`, "test.dev 1.0.0 is uploaded, 7 bytes\ndeploy it: sluice deploy test.dev 1.0.0\n", 0,
			[]string{"upload", "test.dev", at("data.yaml")}},
		{"upload JSON", `POST /configs/test.dev/versions {"version":"2.0.0","configData":{"a":1},"tags":["lts"],"metadata":{"by":"me"}}`, "is uploaded", 0,
			[]string{"upload", "test.dev", at("data.json"), "--version", "2.0.0", "--tag", "lts", "--metadata", "by=me"}},
		{"upload what is wrong", "", `duplicate key "a", first on line 1`, 2, []string{"upload", "test.dev", at("bad.yaml")}},
		{"upload nothing", "", "no such file", 2, []string{"upload", "test.dev", at("none")}},
		{"tag", `PATCH /configs/test.dev/versions/1.0.0 {"tags":["lts","stable"]}`, "test.dev 1.0.0 has the tags lts, stable\n", 0, []string{"tag", "test.dev", "1.0.0", "stable", "lts"}},
		{"untag", `PATCH /configs/test.dev/versions/1.0.0 {"tags":[]}`, "", 0, []string{"tag", "test.dev", "1.0.0", "--remove", "lts"}},
		{"tags", "GET /configs/test.dev/versions/1.0.0", "has the tags lts\n", 0, []string{"tag", "test.dev", "1.0.0"}},
		{"tag nothing", "", "needs a profile and one of its versions", 2, []string{"tag", "test.dev"}},
		{"deprecate", `PATCH /configs/test.dev/versions/1.0.0 {"deprecated":"it leaks"}`, "is deprecated: it leaks\n", 0, []string{"deprecate", "test.dev", "1.0.0", "--reason", "it leaks"}},
		{"deprecate no more", `PATCH /configs/test.dev/versions/1.0.0 {"deprecated":""}`, "is not deprecated any more\n", 0, []string{"deprecate", "test.dev", "1.0.0", "--undo"}},
		{"deprecate without a word", "", "needs --reason", 2, []string{"deprecate", "test.dev", "1.0.0"}},
		{"delete a version", "DELETE /configs/test.dev/versions/1.0.0", "version 1.0.0 of test.dev is removed", 0, []string{"delete-version", "test.dev", "1.0.0", "--yes"}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			d := managed(t)
			c := newConsole(t, d)
			c.wants(t, tt.code, append([]string{"config"}, tt.args...)...)
			if tt.request == "" && len(d.asked()) > 0 {
				t.Errorf("asked %q", d.asked())
			}
			if tt.request != "" && last(t, d) != tt.request {
				t.Errorf("asked %q, want %q", last(t, d), tt.request)
			}
			if said := c.out.String() + c.err.String(); !strings.Contains(said, tt.out) {
				t.Errorf("said %q, want %q", said, tt.out)
			}
		})
	}
}

func TestConfigDeleteAsksOnATerminal(t *testing.T) {
	t.Parallel()
	for typed, code := range map[string]int{"y\n": 0, "n\n": 1} {
		d := managed(t)
		c := newConsole(t, d)
		c.terminal(80, 24, typed)
		c.wants(t, code, "config", "delete", "test.dev")
		if deleted := len(d.asked()) == 1; deleted != (code == 0) {
			t.Errorf("%q: asked %q", typed, d.asked())
		}
	}
}
