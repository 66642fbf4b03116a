package web

import "bytes"

// Logout is the page to sign out on.
func Logout() ([]byte, error) { return document("logout", nil) }

// Confirm asks whether a command line that waits at a port may be signed in; link
// is where to go then.
func Confirm(port, link string) ([]byte, error) {
	return document("confirm", struct{ Port, Link string }{port, link})
}

// LoginForm is what the page to sign in on shows: where to go afterwards, why the
// last try did not do or what was sent before was not done ("" for neither), and an identity provider if there is one.
type LoginForm struct{ Next, Refused, Provider, ProviderURL string }

// Login writes the page to sign in on.
func Login(form LoginForm) ([]byte, error) { return document("login", form) }

// document is a page outside the dashboard's frame.
func document(name string, value any) ([]byte, error) {
	var b bytes.Buffer
	err := execute(&b, name, struct {
		Build string
		View  any
	}{build, value})
	return b.Bytes(), err
}
