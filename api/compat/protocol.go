package compat

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// Protocol is one kind of client: where it asks, how it says who asks, and how it is refused.
type Protocol struct {
	Name    string // in the setting clients
	Clients string // that speak it, for people
	Routes  []Route
	// Token finds the reader's token in a request, "" where there is none.
	Token   func(*http.Request) string
	TokenAt string // where that is, for people
	// Refuse answers a request that brings nothing, in the shape that the client expects.
	Refuse func(echo.Context, Refusal) error
	// Coordinates say what of Sluice each thing is that the client asks for, for people.
	Coordinates []Coordinate
}

// Route is one door of a protocol.
type Route struct {
	Method, Path string
	Waits        bool  // a long poll; others are answered within seconds
	Body         int64 // bytes that a request may bring
	Handle       func(c echo.Context, from Configs) error
}

// Coordinate is one row of the table of what clients ask for.
type Coordinate struct {
	Asked string // as the client names it
	Gives string // in the words of Sluice
}

// Refusal is an error that the client is told. Any other but ErrNotFound is the server's own: a
// client is told that something went wrong, and the log has it.
type Refusal struct {
	Status  int
	Code    string // as in the API: NOT_FOUND
	Message string
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// invalid refuses a request that was understood and cannot be answered.
func invalid(format string, args ...any) error {
	return &Refusal{Status: http.StatusBadRequest, Code: "VALIDATION_ERROR", Message: fmt.Sprintf(format, args...)}
}

// readOnly refuses to write.
func readOnly(echo.Context, Configs) error {
	return &Refusal{
		Status: http.StatusMethodNotAllowed, Code: "METHOD_NOT_ALLOWED",
		Message: "this is read-only: change the profile in Git, or by the API of Sluice",
	}
}

// Protocols is every protocol there is.
func Protocols() []*Protocol {
	return []*Protocol{consul(), spring(), appConfig(), apollo(), nacos(), flagd(), ofrep()}
}

// Names are those of all protocols.
func Names() []string {
	var names []string
	for _, p := range Protocols() {
		names = append(names, p.Name)
	}
	return names
}

// Named gives the protocols of some names, each once, in the order of Protocols. A name of none is
// an error that says which there are.
func Named(names ...string) ([]*Protocol, error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("clients: there is no protocol %q, only %s", name, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(Protocols(), func(p *Protocol) bool { return !slices.Contains(names, p.Name) }), nil
}

// bearer is the token of the header that most clients know.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
