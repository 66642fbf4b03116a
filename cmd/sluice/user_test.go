package main

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

func TestUserCommands(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	ann := wire.User{Username: "ann", Role: "Viewer"}
	made := noon.Add(-time.Minute)
	d.answers("POST /users", ann)
	d.answers("PUT /users/ann", ann)
	d.answers("GET /users", page(
		wire.User{Username: "admin", Role: "Admin", CreatedAt: &made}, wire.User{Username: "ann", Role: "Viewer", Disabled: true},
		wire.User{Username: "sso:bob@example.com", Role: "Operator", Issuer: "https://idp.example.com"},
	))
	d.mux.HandleFunc("DELETE /api/v1/users/ann", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	c := newConsole(t, d)
	for _, tt := range []struct {
		args        []string
		stdin, want string
		says        string
	}{
		{[]string{"add", "ann", "--role", "Viewer", "--password-stdin"}, "correct horse\n", `POST /users {"username":"ann","password":"correct horse","role":"Viewer"}`, "ann is added, as Viewer\n"},
		{[]string{"role", "ann", "Operator"}, "", `PUT /users/ann {"role":"Operator"}`, "ann is Operator; sessions from before are over\n"},
		{[]string{"disable", "ann"}, "", `PUT /users/ann {"disabled":true}`, "ann is disabled; sessions from before are over\n"},
		{[]string{"enable", "ann"}, "", `PUT /users/ann {"disabled":false}`, "ann is enabled; sessions from before are over\n"},
		{[]string{"password", "ann", "--password-stdin"}, "another horse\n", `PUT /users/ann {"password":"another horse"}`, "ann has another password; sessions from before are over\n"},
		{[]string{"remove", "ann"}, "", "DELETE /users/ann", "ann is removed; sessions are over, and API tokens from there revoked\n"},
	} {
		c.stdin = strings.NewReader(tt.stdin)
		c.wants(t, 0, append([]string{"user"}, tt.args...)...)
		if got := strings.TrimSpace(last(t, d)); got != tt.want || c.out.String() != tt.says {
			t.Errorf("%v asked %q and printed %q", tt.args, got, c.out.String())
		}
	}
	c.wants(t, 0, "user", "list")
	golden(t, "table/users.txt", c.out.String())

	typed := []string{"one password", "another one"}
	c.readPassword = func() (string, error) {
		next := typed[0]
		typed = typed[1:]
		return next, nil
	}
	c.wants(t, 2, "user", "add", "ann", "--role", "Viewer")
	if !strings.Contains(c.err.String(), "the two passwords differ") {
		t.Errorf("stderr is %q", c.err.String())
	}
	c.wants(t, 2, "user", "add", "ann")
}

// Whoever changes the own password goes on as the same user, and signs out at the end.
func TestOwnPasswordAndLogout(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/login", wire.LoginResponse{Token: "eyJ.one", User: wire.User{Username: "ann", Role: "Viewer"}})
	d.answers("PUT /authentication/password", wire.LoginResponse{Token: "eyJ.two", User: wire.User{Username: "ann", Role: "Viewer"}})
	d.mux.HandleFunc("POST /api/v1/authentication/logout", func(w http.ResponseWriter, r *http.Request) {
		d.tokens = append(d.tokens, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusNoContent)
	})
	c := newConsole(t, d)
	c.wants(t, 0, "logout")
	if !strings.Contains(c.out.String(), "nobody is signed in") {
		t.Errorf("printed %q", c.out.String())
	}
	c.stdin = strings.NewReader("now\n")
	c.wants(t, 0, "login", "-u", "ann", "--password-stdin")
	c.stdin = strings.NewReader("now\nlater than now\n")
	c.wants(t, 0, "user", "password", "--password-stdin")
	if got := last(t, d); got != `PUT /authentication/password {"currentPassword":"now","newPassword":"later than now"}` {
		t.Errorf("asked %q", got)
	}
	c.wants(t, 0, "logout")
	if got := d.tokens[len(d.tokens)-1]; got != "Bearer eyJ.two" || !strings.HasPrefix(c.out.String(), "signed out of ") {
		t.Errorf("signed out %q, printed %q", got, c.out.String())
	}
	c.wants(t, 0, "logout")
	if !strings.Contains(c.out.String(), "nobody is signed in") {
		t.Errorf("printed %q", c.out.String())
	}
}

// The browser brings the code to the port that the command line names, which
// exchanges it with a verifier that fits the challenge of the link.
func TestLoginBySSO(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.answers("POST /authentication/sso", wire.LoginResponse{Token: "eyJ.sso", ExpiresAt: noon, User: wire.User{Username: "sso:ann", Role: "Viewer"}})
	c := newConsole(t, d)
	said := &lines{}
	c.stderr = said
	link := regexp.MustCompile(`/login/sso\?challenge=[A-Za-z0-9_-]{43}&port=(\d+)`)
	code := make(chan int, 1)
	go func() { code <- c.shell.run(context.Background(), []string{"login", "--sso"}) }()
	eventually(t, "the link", func() bool { return link.MatchString(said.String()) })
	at := "http://127.0.0.1:" + link.FindStringSubmatch(said.String())[1]
	for path, want := range map[string]int{"/": 404, "/other?code=x": 404} {
		if got := visit(t, at+path); got != want {
			t.Errorf("%s answered %d", path, got)
		}
	}
	if got := visit(t, at+"/?code=from-the-server"); got != 200 {
		t.Errorf("the browser is answered %d", got)
	}
	if got := <-code; got != 0 || !strings.Contains(c.out.String(), "as sso:ann (Viewer)") {
		t.Errorf("ended with %d, printed %q and %q", got, c.out.String(), said)
	}
	if got := last(t, d); !strings.HasPrefix(got, `POST /authentication/sso {"code":"from-the-server","verifier":"`) {
		t.Errorf("asked %q", got)
	}
}

func visit(t *testing.T, to string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
