package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

func TestWhichServerIsMeant(t *testing.T) {
	t.Parallel()
	known := contexts{Current: "staging", Contexts: []namedServer{
		{Name: "production", Server: "https://production/", CAFile: "/ca.pem"}, {Name: "staging", Server: "https://staging"},
	}}
	for _, tt := range []struct {
		rule         string
		asked        asked
		known        contexts
		server, from string
		ca           string
	}{
		{"nothing", asked{}, contexts{}, defaultServer, "the default", ""},
		{"the current context", asked{}, known, "https://staging", "the current context, staging", ""},
		{"SLUICE_CONTEXT", asked{contextEnv: "production"}, known, "https://production", "SLUICE_CONTEXT=production", "/ca.pem"},
		{"SLUICE_SERVER before contexts of any kind", asked{serverEnv: "https://env/", contextEnv: "production"}, known, "https://env", "SLUICE_SERVER", ""},
		{"--context before variables", asked{contextFlag: "production", serverEnv: "https://env"}, known, "https://production", "--context production", "/ca.pem"},
		{"--server before variables", asked{serverFlag: "https://flag", serverEnv: "https://env", contextEnv: "production"}, known, "https://flag", "--server", ""},
		{"SLUICE_CA_FILE before the context's", asked{contextFlag: "production", caEnv: "/env.pem"}, known, "https://production", "--context production", "/env.pem"},
		{"--ca-file before all", asked{contextFlag: "production", caEnv: "/env.pem", caFlag: "/flag.pem"}, known, "https://production", "--context production", "/flag.pem"},
	} {
		d, err := choose(tt.asked, tt.known)
		if err != nil || d.Server != tt.server || d.from != tt.from || d.CAFile != tt.ca {
			t.Errorf("%s: %+v, %v", tt.rule, d, err)
		}
	}
	for want, a := range map[string]asked{
		"--server and --context are both given":         {serverFlag: "https://x", contextFlag: "staging"},
		`no context "stagign", did you mean staging?`:   {contextFlag: "stagign"},
		`no context "x", there are production, staging`: {contextEnv: "x"},
	} {
		if _, err := choose(a, known); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v, want %q", a, err, want)
		}
	}
}

// Two contexts of one server are two users of it, and a context's token goes to no other.
func TestContexts(t *testing.T) {
	t.Parallel()
	d, other := newDaemon(t), newDaemon(t)
	for _, one := range []*fakeDaemon{d, other} {
		one.answers("GET /configs", page[wire.Config]())
	}
	c := newConsole(t, nil)
	delete(c.env, "SLUICE_SERVER")
	c.wants(t, 0, "context", "list")
	if !strings.Contains(c.err.String(), "sluice context add NAME --server URL makes one") {
		t.Errorf("without any it says %q", c.err.String())
	}
	c.wants(t, 0, "context", "add", "admin", "--server", d.URL)
	if !strings.Contains(c.out.String(), "it is the current one") {
		t.Errorf("the first one: %q", c.out.String())
	}
	c.wants(t, 0, "context", "add", "viewer", "--server", d.URL)
	c.wants(t, 0, "context", "add", "elsewhere", "--server", other.URL)

	name, err := c.credentialsFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"admin", "viewer"} {
		if _, err := c.storeCredential(d.URL+"#"+who, credential{Token: "slt_" + who, Username: who, Role: "Viewer", ExpiresAt: noon.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		to   *fakeDaemon
		args []string
		env  string
		want string
	}{
		{d, nil, "", "Bearer slt_admin"},
		{d, []string{"--context", "viewer"}, "", "Bearer slt_viewer"},
		{d, nil, "viewer", "Bearer slt_viewer"},
		{other, []string{"--context", "elsewhere"}, "", ""},
		{d, []string{"--server", d.URL}, "", ""},
	} {
		c.env["SLUICE_CONTEXT"] = tt.env
		c.wants(t, 0, append([]string{"get", "profiles"}, tt.args...)...)
		if got := tt.to.tokens[len(tt.to.tokens)-1]; got != tt.want {
			t.Errorf("%v %s sends %q, want %q", tt.args, tt.env, got, tt.want)
		}
	}
	c.env["SLUICE_CONTEXT"] = ""

	c.wants(t, 0, "context", "use", "viewer")
	c.wants(t, 0, "context", "current")
	if c.out.String() != "viewer\n" || !strings.Contains(c.err.String(), d.URL+", from the current context, viewer") {
		t.Errorf("the current one is %q, %q", c.out.String(), c.err.String())
	}
	c.wants(t, 0, "context", "list")
	golden(t, "table/contexts.txt", strings.NewReplacer(d.URL, "http://127.0.0.1:5001", other.URL, "http://127.0.0.1:5002").Replace(c.out.String()))
	c.wants(t, 0, "context", "list", "-o", "json")
	var listed []namedServer
	if err := json.Unmarshal(c.out.Bytes(), &listed); err != nil || len(listed) != 3 || listed[1].Name != "viewer" {
		t.Errorf("JSON is %s, %v", c.out.String(), err)
	}

	c.wants(t, 0, "context", "remove", "viewer")
	if stored, err := os.ReadFile(name); err != nil || strings.Contains(string(stored), "slt_viewer") || !strings.Contains(string(stored), "slt_admin") {
		t.Errorf("the token of a context that was removed: %s, %v", stored, err)
	}
	file, err := c.contextsFile()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(content), "slt_") || strings.Contains(string(content), "viewer") {
		t.Errorf("the contexts are %s, %v", content, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the contexts are %v, %v", info, err)
	}
	c.wants(t, 2, "context", "use", "admni")
	if !strings.Contains(c.err.String(), "did you mean admin?") {
		t.Errorf("stderr is %q", c.err.String())
	}
}

// Login keeps the token for the context it was given.
func TestLoginToAContext(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/login", wire.LoginResponse{Token: "slt_kept", ExpiresAt: noon.Add(time.Hour), User: wire.User{Username: "ada", Role: "Viewer"}})
	d.answers("GET /configs", page[wire.Config]())
	c := newConsole(t, nil)
	c.wants(t, 0, "context", "add", "production", "--server", d.URL)
	c.wants(t, 0, "context", "add", "same", "--server", d.URL)
	c.stdin = strings.NewReader("secret\n")
	c.wants(t, 0, "login", "--context", "production", "-u", "ada", "--password-stdin")
	for context, want := range map[string]string{"production": "Bearer slt_kept", "same": ""} {
		c.wants(t, 0, "get", "profiles", "--context", context)
		if got := d.tokens[len(d.tokens)-1]; got != want {
			t.Errorf("context %s sends %q, want %q", context, got, want)
		}
	}
}

func TestContextsFileThatIsWrong(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"contexts: [{name: a, servr: https://x}]":                               "field servr not found",
		"contexts: [{name: a}]":                                                 "context a has no server",
		"contexts: [{name: a, server: https://x}, {name: a, server: http://y}]": "context a is there twice",
		"contexts: [{name: 'a b', server: https://x}]":                          `contexts[0].name "a b" must be letters`,
		"{": "contexts.yaml",
	} {
		c := newConsole(t, nil)
		file := filepath.Join(t.TempDir(), "contexts.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.env[contextsFileEnv] = file
		c.wants(t, 2, "get", "profiles")
		if !strings.Contains(c.err.String(), want) || !strings.Contains(c.err.String(), file) {
			t.Errorf("%s says %q, want %q and the file", content, c.err.String(), want)
		}
		// Whoever names a server must reach it all the same, above all in an emergency.
		d := newDaemon(t)
		d.answers("GET /configs", page[wire.Config]())
		c.wants(t, 0, "get", "profiles", "--server", d.URL)
	}
}

func TestContextAddRefuses(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	for line, want := range map[string]string{
		"context add x":                                      "needs --server",
		"context add x --server ftp://x":                     "not an http or https URL",
		"context add x --server https://u:p@x":               "credentials do not belong into the URL",
		"context add a/b --server https://x":                 "must be letters",
		"context add x --server https://x --ca-file /none":   "read certificates: open /none",
		"context add x --server https://x --ca-file file.go": "read certificates",
		"context use x":                                      "there is no context",
	} {
		c.wants(t, 2, strings.Fields(line)...)
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("sluice %s says %q, want %q", line, c.err.String(), want)
		}
	}
}
