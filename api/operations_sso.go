package api

import (
	"net/http"

	"github.com/sluicehq/sluice/api/wire"
)

// ssoOperations are those of people whom an identity provider knows.
func ssoOperations() map[string]operation {
	return map[string]operation{
		"POST /authentication/sso": {
			id: "exchangeCode", tag: tagSignIn, summary: "Sign a command line in with the code that a browser brought",
			text:    "The code is good for a minute and once, for whom has the verifier of the challenge that it was asked for with.",
			body:    wire.CodeRequest{Code: "eyJhbGciOi...", Verifier: "the verifier of the challenge"},
			answers: []answer{gives(http.StatusOK, "Signed in.", wire.LoginResponse{})},
			errors:  []int{http.StatusUnauthorized},
		},
		"GET /" + ssoPath: {
			id: "startSSO", tag: tagPages, summary: "Sign in at the identity provider",
			text: "For a command line, a person confirms first. 404 when no provider is set up.",
			query: paramsOf(
				textual("next", "The page of this server to go to afterwards."),
				textual("port", "Where on 127.0.0.1 a command line waits for its code."),
				textual("challenge", "SHA-256 of the command line's verifier, in base 64 for URLs."),
				textual("confirm", "What the page that asks for confirmation gave its link."),
			),
			answers: []answer{
				gives(http.StatusOK, "The page that asks for confirmation.", nil, "text/html"),
				gives(http.StatusSeeOther, "To the provider.", nil),
				gives(http.StatusServiceUnavailable, "The page to sign in on: the provider does not answer.", nil, "text/html"),
			},
			errors: []int{http.StatusNotFound},
		},
		"GET /" + ssoCallback: {
			id: "finishSSO", tag: tagPages, summary: "Come back from the identity provider",
			query: paramsOf(
				textual("code", "What proves to the provider that it signed somebody in."), textual("state", "The sign-in that it answers to."),
				textual("error", "Why it signed nobody in."), textual("error_description", "That in words."), textual("iss", "Which provider it is."),
			),
			answers: []answer{
				gives(http.StatusSeeOther, "Signed in, and to the page that was asked for, or to the command line that waits.", nil),
				gives(http.StatusBadRequest, "The page to sign in on: no such sign-in was begun here.", nil, "text/html"),
				gives(http.StatusForbidden, "The page to sign in on, with why not.", nil, "text/html"),
				gives(http.StatusServiceUnavailable, "The page to sign in on: the provider does not answer.", nil, "text/html"),
			},
			errors: []int{http.StatusNotFound},
		},
	}
}
