// Package web has the pages that people see in a browser.
package web

import (
	"bytes"
	_ "embed"
	"html/template"
)

//go:embed login.html
var loginHTML string

var login = template.Must(template.New("login").Parse(loginHTML))

//go:embed logout.html
var logoutHTML []byte

// Logout is the page to sign out on.
func Logout() ([]byte, error) { return logoutHTML, nil }

//go:embed confirm.html
var confirmHTML string

var confirm = template.Must(template.New("confirm").Parse(confirmHTML))

// Confirm asks whether a command line that waits at a port may be signed in; link
// is where to go then.
func Confirm(port, link string) ([]byte, error) {
	var b bytes.Buffer
	err := confirm.Execute(&b, struct{ Port, Link string }{port, link})
	return b.Bytes(), err
}

// LoginForm is what the page to sign in on shows: where to go afterwards, why the
// last try did not do ("" before the first), and an identity provider if there is one.
type LoginForm struct{ Next, Refused, Provider, ProviderURL string }

// Login writes the page to sign in on.
func Login(form LoginForm) ([]byte, error) {
	var b bytes.Buffer
	err := login.Execute(&b, form)
	return b.Bytes(), err
}
