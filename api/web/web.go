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

// Login writes the page to sign in on. next is where to go afterwards, refused
// is why the last try did not do, "" before the first.
func Login(next, refused string) ([]byte, error) {
	var b bytes.Buffer
	err := login.Execute(&b, struct{ Next, Refused string }{next, refused})
	return b.Bytes(), err
}
