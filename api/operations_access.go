package api

import (
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

const tagSignIn = "Sign-in and tokens"

func signInOperations() map[string]operation {
	return map[string]operation{
		"POST /authentication/login": {
			id: "login", tag: tagSignIn, summary: "Sign in",
			text:    "Gives a bearer token for 12 hours. Ten tries a minute and account, and as many an address.",
			body:    wire.LoginRequest{Username: "ann", Password: "correct horse battery staple"},
			answers: []answer{gives(200, "Signed in.", wire.LoginResponse{})},
			errors:  []int{401},
		},
		"POST /tokens": {
			id: "createToken", tag: tagSignIn, summary: "Make an API token",
			text:    "The token itself is in this answer and nowhere else: the server keeps its hash.",
			body:    wire.TokenRequest{Name: "ci", Role: "Developer", TTL: "P30D"},
			answers: []answer{gives(201, "Made.", wire.Token{})},
			errors:  []int{409},
		},
		"GET /tokens": {
			id: "listTokens", tag: tagSignIn, summary: "List API tokens",
			answers: []answer{gives(200, "All tokens, without the tokens themselves.", wire.Page[wire.Token]{})},
		},
		"DELETE /tokens/:id": {
			id: "revokeToken", tag: tagSignIn, summary: "Revoke an API token",
			answers: []answer{gives(204, "Revoked: it opens nothing any more.", nil)},
		},
	}
}

const tagFreeze = "Freeze"

func freezeOperations() map[string]operation {
	return map[string]operation{
		"GET /freeze": {
			id: "getFreeze", tag: tagFreeze, summary: "Say whether a freeze is in force",
			answers: []answer{gives(200, "The freeze, or that there is none.", wire.Freeze{})},
		},
		"PUT /freeze": {
			id: "beginFreeze", tag: tagFreeze, summary: "Freeze all profiles",
			text:    "Nothing starts or goes further on any profile; rollbacks still go. It takes the place of one in force.",
			body:    wire.FreezeRequest{Reason: "quarterly close", ExpiresIn: (2 * time.Hour).String()},
			answers: []answer{gives(200, "In force.", wire.Freeze{})},
		},
		"DELETE /freeze": {
			id: "endFreeze", tag: tagFreeze, summary: "End the freeze",
			text:  "The reason is in the body, or in the query for callers whose DELETE has no body.",
			query: paramsOf(textual("reason", "Why, unless the body says so.")),
			body:  wire.ReasonRequest{Reason: "the books are closed"}, optional: true,
			answers: []answer{gives(200, "Ended.", wire.Freeze{})},
			errors:  []int{404},
		},
	}
}
