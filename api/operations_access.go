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
			text:    "Gives a bearer token for 12 hours, unless session_lifetime says otherwise. Ten tries a minute and account, and as many an address.",
			body:    wire.LoginRequest{Username: "ann", Password: "correct horse battery staple"},
			answers: []answer{gives(200, "Signed in.", wire.LoginResponse{})},
			errors:  []int{401},
		},
		"POST /authentication/logout": {
			id: "logout", tag: tagSignIn, summary: "Sign out",
			text:    "Ends the session of the token that it is asked with. 400 for a token of no session.",
			answers: []answer{gives(204, "Signed out.", nil)},
			errors:  []int{400},
		},
		"GET /authentication/identity": {
			id: "getIdentity", tag: tagSignIn, summary: "Say who a token is",
			answers: []answer{gives(200, "The name, the role and the scope.", wire.Identity{})},
		},
		"PUT /authentication/password": {
			id: "changePassword", tag: tagSignIn, summary: "Change one's own password",
			text:    "Every session of the user ends; the answer is a new one.",
			body:    wire.PasswordChange{Current: "correct horse battery staple", New: "a battery of correct horses"},
			answers: []answer{gives(200, "Changed.", wire.LoginResponse{})},
		},
		"POST /users": {
			id: "createUser", tag: tagSignIn, summary: "Add a user",
			body:    wire.UserRequest{Username: "ann", Password: "correct horse battery staple", Role: "Operator"},
			answers: []answer{gives(201, "Added.", wire.User{})},
			errors:  []int{409},
		},
		"GET /users": {
			id: "listUsers", tag: tagSignIn, summary: "List users",
			query:   paged(),
			answers: []answer{gives(200, "A page of users, by name.", wire.Page[wire.User]{})},
		},
		"GET /users/:username": {
			id: "getUser", tag: tagSignIn, summary: "Show a user",
			answers: []answer{gives(200, "The user.", wire.User{})},
		},
		"PUT /users/:username": {
			id: "updateUser", tag: tagSignIn, summary: "Change a user",
			text:    "What is left out stays. The sessions of the user end; API tokens that the user made are refused while the user is disabled or no Admin. 409 for the last Admin, and for the role and password of a user whom an identity provider knows.",
			body:    wire.UserChange{Role: new("Developer")},
			answers: []answer{gives(200, "The user as it is now.", wire.User{})},
			errors:  []int{409},
		},
		"DELETE /users/:username": {
			id: "removeUser", tag: tagSignIn, summary: "Remove a user",
			text:    "The sessions of the user end, and the API tokens that the user made are revoked. 409 for the last Admin.",
			answers: []answer{gives(204, "Removed.", nil)},
			errors:  []int{409},
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
