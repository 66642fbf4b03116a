package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// commandOf names the command of each operation of the API, as a person would
// give it, or after a dash why there is none.
var commandOf = map[string]string{
	"POST /authentication/login": "login",
	"POST /tokens":               "token create", "GET /tokens": "token list", "DELETE /tokens/{id}": "token revoke",

	"GET /configs": "get profiles", "GET /configs/{name}": "describe profile",
	"GET /configs/{name}/versions": "get versions", "GET /configs/{name}/versions/{version}": "describe version",
	"GET /configs/{name}/versions/{version}/diff/{other}": "diff",
	"GET /configs/{name}/rollback":                        "rollback", "POST /configs/{name}/rollback": "rollback",
	"POST /configs/{name}/release": "release",

	"POST /deployments": "deploy", "GET /deployments": "get deployments", "GET /deployments/{id}": "describe deployment",
	"GET /deployments/{id}/health": "health", "GET /deployments/{id}/report": "report", "GET /deployments/{id}/events": "watch",
	"POST /deployments/{id}/pause": "pause", "POST /deployments/{id}/resume": "resume", "POST /deployments/{id}/promote": "promote",
	"POST /deployments/{id}/cancel": "cancel", "POST /deployments/{id}/retry": "retry",
	"GET /deployments/{id}/rollback": "rollback", "POST /deployments/{id}/rollback": "rollback",

	"GET /logging": "logging", "PUT /logging": "logging set", "DELETE /logging": "logging reset",
	"GET /freeze": "status", "PUT /freeze": "freeze", "DELETE /freeze": "unfreeze",

	"GET /instances": "get instances", "GET /instances/{id}": "describe instance", "DELETE /instances/{id}": "deregister",
	"POST /instances":                                "agent",
	"POST /instances/{id}/heartbeat":                 "agent",
	"POST /instances/{id}/applied":                   "agent",
	"GET /instances/{id}/watch":                      "agent",
	"GET /instances/{id}/configs":                    "agent",
	"GET /instances/{id}/configs/{name}/{hash}/data": "agent",

	"GET /audit": "audit", "GET /audit/verify": "audit verify", "GET /statuses/{commit}": "status",
	"GET /sources": "get sources", "POST /sources/{id}/sync": "sync",
	"POST /notifications/{target}/test": "notify test",

	"POST /configs": "config create", "PUT /configs/{name}": "config update", "DELETE /configs/{name}": "config delete",
	"POST /configs/{name}/versions": "config upload", "PATCH /configs/{name}/versions/{version}": "config tag",
	"DELETE /configs/{name}/versions/{version}": "config delete-version",

	"POST /schemas": "schema register", "GET /schemas": "schema list", "GET /schemas/{id}": "schema get",
	"POST /schemas/{id}/validate": "schema validate", "POST /schemas/{id}/approve": "schema approve", "POST /schemas/{id}/deprecate": "schema deprecate",

	"POST /validate": "validate",

	"POST /authentication/logout": "logout", "GET /authentication/identity": "whoami",
	"PUT /authentication/password": "user password", "POST /authentication/sso": "login",
	"GET /users": "user list", "GET /users/{username}": "- user list shows everything of everybody",
	"POST /users": "user add", "PUT /users/{username}": "user role", "DELETE /users/{username}": "user remove",
}

// Every operation that the API tells of has a command, or a reason to have none.
func TestEveryOperationHasACommand(t *testing.T) {
	t.Parallel()
	answer, err := http.Get(newRealAPI(t).URL + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	root := newRootCommand(newConsole(t, nil).shell)
	asked := map[string]bool{}
	for path, methods := range document.Paths {
		below, isAPI := strings.CutPrefix(path, "/api/v1")
		if !isAPI {
			continue
		}
		for method := range methods {
			operation := strings.ToUpper(method) + " " + below
			if !strings.Contains("GET POST PUT PATCH DELETE", strings.ToUpper(method)) {
				continue
			}
			asked[operation] = true
			words, known := commandOf[operation]
			if !known {
				t.Errorf("%s has no command, and no reason why", operation)
				continue
			}
			if strings.HasPrefix(words, "- ") {
				continue
			}
			found, _, err := root.Find(strings.Fields(words))
			if err != nil || found.CommandPath() != "sluice "+words || !found.Runnable() {
				t.Errorf("%s is told to be sluice %s, which is no command", operation, words)
			}
		}
	}
	if len(asked) < 40 {
		t.Logf("%.600s", text)
		t.Errorf("only %d operations", len(asked))
	}
	for operation := range commandOf {
		if !asked[operation] {
			t.Errorf("%s is no operation of the API", operation)
		}
	}
}
