package main

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/login", wire.LoginResponse{
		Token: "slt_kept", ExpiresAt: noon.Add(12 * time.Hour), User: wire.User{Username: "admin", Role: "Admin"},
	})
	d.answers("GET /configs", page[wire.Config]())
	c := newConsole(t, d)
	c.stdin = strings.NewReader("correct horse\nnot ours")
	c.wants(t, 0, "login", "-u", "admin", "--password-stdin")
	if got := last(t, d); got != `POST /authentication/login {"username":"admin","password":"correct horse"}` {
		t.Errorf("asked %q", got)
	}
	if !strings.HasPrefix(c.out.String(), "signed in to "+d.URL+" as admin (Admin) until ") || strings.Contains(c.out.String(), "slt_") {
		t.Errorf("printed %q", c.out.String())
	}
	if rest, err := io.ReadAll(c.stdin); err != nil || string(rest) != "not ours" {
		t.Errorf("what followed the password is %q, %v", rest, err)
	}
	dir, err := c.configDir()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "sluice", "credentials.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the credentials are %v, %v", info, err)
	}

	c.wants(t, 0, "get", "profiles")
	if got := d.tokens[len(d.tokens)-1]; got != "Bearer slt_kept" {
		t.Errorf("later commands send %q", got)
	}
	other := newDaemon(t)
	other.answers("GET /configs", page[wire.Config]())
	c.wants(t, 0, "get", "profiles", "--server", other.URL)
	if got := other.tokens[0]; got != "" {
		t.Errorf("the token went to another server: %q", got)
	}

	c.stdin = strings.NewReader("ann\n")
	c.readPassword = func() (string, error) { return "typed", nil }
	c.wants(t, 0, "login", "--server", d.URL+"/")
	if got := last(t, d); got != `POST /authentication/login {"username":"ann","password":"typed"}` {
		t.Errorf("asked %q", got)
	}
	if !strings.Contains(c.err.String(), "User name at "+d.URL+": Password: ") {
		t.Errorf("it asked %q", c.err.String())
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.refuses("POST /authentication/login", 401, "UNAUTHORIZED", "wrong user name or password")
	c := newConsole(t, d)
	c.stdin = strings.NewReader("wrong\n")
	c.wants(t, exitDenied, "login", "-u", "admin", "--password-stdin")
	if !strings.Contains(c.err.String(), "wrong user name or password (401 UNAUTHORIZED)") || strings.Contains(c.err.String(), "wrong\n") {
		t.Errorf("stderr is %q", c.err.String())
	}
	c.stdin = strings.NewReader("")
	c.wants(t, 2, "login")
	c.wants(t, 2, "login", "-u", "admin") // no terminal to ask on
	if !strings.Contains(c.err.String(), "use --password-stdin") {
		t.Errorf("stderr is %q", c.err.String())
	}
	c.readPassword = func() (string, error) { return "", errors.New("the terminal is gone") }
	c.wants(t, 2, "login", "-u", "admin")
}

func TestWhichTokenIsSent(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("GET /configs", page[wire.Config]())
	dir := t.TempDir()
	file := func(name, token string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	flagFile, envFile, empty := file("flag", "from-flag-file\n"), file("env", "from-env-file"), file("empty", "\n")
	for _, tt := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{nil, nil, ""},
		{map[string]string{"SLUICE_TOKEN_FILE": envFile}, nil, "Bearer from-env-file"},
		{map[string]string{"SLUICE_TOKEN_FILE": envFile, "SLUICE_TOKEN": "from-env"}, nil, "Bearer from-env"},
		{map[string]string{"SLUICE_TOKEN": "from-env"}, []string{"--token-file", flagFile}, "Bearer from-flag-file"},
		{map[string]string{"SLUICE_TOKEN": "from-env"}, []string{"--token", "from-flag"}, "Bearer from-flag"},
	} {
		c := newConsole(t, d)
		maps.Copy(c.env, tt.env)
		c.wants(t, 0, append([]string{"get", "profiles"}, tt.args...)...)
		if got := d.tokens[len(d.tokens)-1]; got != tt.want {
			t.Errorf("%v %v sends %q, want %q", tt.env, tt.args, got, tt.want)
		}
	}
	c := newConsole(t, d)
	c.wants(t, 2, "get", "profiles", "--token-file", empty)
	if !strings.Contains(c.err.String(), "is empty") {
		t.Errorf("stderr is %q", c.err.String())
	}
}

func TestDamagedCredentials(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/login", wire.LoginResponse{Token: "slt_new"})
	d.answers("GET /configs", page[wire.Config]())
	c := newConsole(t, d)
	name, err := c.credentialsFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(name, []byte("{half")); err != nil {
		t.Fatal(err)
	}
	c.wants(t, 2, "get", "profiles")
	if !strings.Contains(c.err.String(), "is damaged, sign in again with sluice login") {
		t.Errorf("stderr is %q", c.err.String())
	}
	c.stdin = strings.NewReader("x\n")
	c.wants(t, 0, "login", "-u", "admin", "--password-stdin")
	c.wants(t, 0, "get", "profiles")
}

// Many containers have no home folder: everything but login works there.
func TestNoHome(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/login", wire.LoginResponse{Token: "slt_new"})
	d.answers("GET /configs", page[wire.Config]())
	c := newConsole(t, d)
	c.configDir = func() (string, error) { return "", errors.New("neither $XDG_CONFIG_HOME nor $HOME are defined") }
	c.wants(t, 0, "get", "profiles")
	c.stdin = strings.NewReader("x\n")
	c.wants(t, 2, "login", "-u", "admin", "--password-stdin")
	if !strings.Contains(c.err.String(), "find the folder for credentials") {
		t.Errorf("stderr is %q", c.err.String())
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	expiry, past := noon.Add(48*time.Hour), noon.Add(-time.Hour)
	d.answers("POST /tokens", wire.Token{ID: "t-1", Name: "ci", Role: "Operator", Token: "slt_once"})
	d.answers("GET /tokens", page(
		wire.Token{ID: "t-1", Name: "ci", Role: "Operator", CreatedAt: noon.Add(-time.Minute), CreatedBy: "admin", ExpiresAt: &expiry},
		wire.Token{ID: "t-2", Name: "old", Role: "Viewer", CreatedAt: noon.Add(-100 * time.Hour), ExpiresAt: &past},
		wire.Token{ID: "t-3", Name: "fleet", Role: "Registration", CreatedAt: noon},
		wire.Token{ID: "t-4", Name: "cd", Role: "Operator", CreatedAt: noon, CreatedBy: "ci", Owner: "ann", Stopped: true},
	))
	d.mux.HandleFunc("DELETE /api/v1/tokens/t-1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	c := newConsole(t, d)
	c.wants(t, 0, "token", "create", "ci", "--role", "Operator", "--ttl", "720h")
	if got := last(t, d); got != `POST /tokens {"name":"ci","role":"Operator","ttl":"720h"}` {
		t.Errorf("asked %q", got)
	}
	if c.out.String() != "slt_once\n" || !strings.Contains(c.err.String(), "it is not shown again") {
		t.Errorf("printed %q and %q", c.out.String(), c.err.String())
	}
	if c.wants(t, 0, "token", "create", "ci", "--role", "Operator", "-q"); c.err.Len() > 0 {
		t.Errorf("--quiet says %q", c.err.String())
	}
	c.wants(t, 0, "token", "list")
	golden(t, "table/tokens.txt", c.out.String())
	c.wants(t, 0, "token", "list", "-o", "name")
	if c.out.String() != "token/t-1\ntoken/t-2\ntoken/t-3\ntoken/t-4\n" {
		t.Errorf("names are %q", c.out.String())
	}
	c.wants(t, 0, "token", "revoke", "t-1")
	if c.out.String() != "t-1 is revoked\n" {
		t.Errorf("printed %q", c.out.String())
	}
	c.wants(t, exitUnknown, "token", "revoke", "t-9")
}
