package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
)

// What a command ends with, through the door that scripts use.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	d := rolling(t)
	d.answers("GET /configs", page[wire.Config]())
	d.refuses("GET /configs/unknown", http.StatusNotFound, "NOT_FOUND", "no such profile")
	d.refuses("POST /deployments", http.StatusConflict, "CONFLICT", "a freeze is in force")
	d.refuses("POST /configs/denied/release", http.StatusForbidden, "FORBIDDEN", "not allowed")
	d.refuses("POST /configs/busy/release", http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED", "too many")
	d.refuses("POST /configs/broken/release", http.StatusInternalServerError, "INTERNAL_ERROR", "it broke")
	d.refuses("POST /configs/bad/release", http.StatusBadRequest, "VALIDATION_ERROR", "reason is too long")
	d.refuses("GET /sources", http.StatusUnauthorized, "UNAUTHORIZED", "no token")
	d.answers("GET /statuses/9f1c2ab", page(commitStatus("failure")))
	d.answers("GET /freeze", wire.Freeze{})
	d.answers("GET /configs/a/versions/1/diff/2", wire.DiffResponse{Diff: wire.Diff{Added: []wire.FieldChange{{Field: "$.x"}}}})
	d.answers("GET /configs/a/versions/1/diff/1", wire.DiffResponse{})
	for line, want := range map[string]int{
		"get profiles":                             exitDone,
		"help exit-codes":                          exitDone,
		"explain strategy.steps":                   exitDone,
		"diff a 1 1":                               exitDone,
		"rollback payment --dry-run":               exitDone,
		"diff a 1 2":                               exitProblems,
		"status 9f1c2ab":                           exitProblems,
		"get profiles --nope":                      exitTrouble,
		"get profiles -o xml":                      exitTrouble,
		"nonsense":                                 exitTrouble,
		"rollback payment":                         exitTrouble,
		"release bad --reason r":                   exitTrouble,
		"audit --since yesterday":                  exitTrouble,
		"audit export --format xml":                exitTrouble,
		"diff /none/a.yaml /none/b.yaml":           exitTrouble,
		"release busy --reason r":                  exitAway,
		"release broken --reason r":                exitAway,
		"get profiles --server http://127.0.0.1:1": exitAway,
		"release denied --reason r":                exitDenied,
		"get sources":                              exitDenied,
		"get profiles unknown":                     exitUnknown,
		"explain strategy.stepps":                  exitUnknown,
		"deploy a 1.0.0":                           exitRefused,
	} {
		c := newConsole(t, d)
		c.wants(t, want, strings.Fields(line)...)
		if want > exitProblems && !strings.HasPrefix(c.err.String(), "sluice: ") {
			t.Errorf("sluice %s ends with %d and says %q", line, want, c.err.String())
		}
	}
}

// Every code that a command can end with is explained to people.
func TestExitCodesAreExplained(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.wants(t, 0, "help", "exit-codes")
	for _, code := range exitCodes() {
		if code.meaning == "" || !strings.Contains(strings.Join(strings.Fields(c.out.String()), " "), code.meaning) {
			t.Errorf("%d is not explained: %s", code.code, c.out.String())
		}
	}
}

// A name that is a slip away, and a server that is the wrong one, are told.
func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	d := fleet(t)
	d.refuses("GET /configs/paymnet-service.production", http.StatusNotFound, "NOT_FOUND", "no such profile")
	d.refuses("GET /configs/search", http.StatusNotFound, "NOT_FOUND", "no such profile")
	d.refuses("GET /configs/payment-service.production/versions/1.4.1", http.StatusNotFound, "NOT_FOUND", "no such version")
	d.refuses("PUT /freeze", http.StatusUnauthorized, "UNAUTHORIZED", "no token")
	for line, want := range map[string]string{
		"get profiles paymnet-service.production":           "Did you mean payment-service.production?",
		"describe profile search":                           "Did you mean search-service.production?",
		"describe version payment-service.production 1.4.1": "Did you mean 1.4.0?",
		"get profiles profile/paymnet-service.production":   "Did you mean payment-service.production?",
		"freeze --reason r":                                 "You are not signed in to " + d.URL,
		"freeze --reason r --token x":                       "The token comes from --token",
		"get profiles --server http://127.0.0.1:1":          "http://127.0.0.1:1 comes from --server",
		"get profiles -o tabel":                             "did you mean table?",
		"context use x":                                     "sluice context add NAME --server URL makes one",
	} {
		c := newConsole(t, d)
		if code := c.do(t, strings.Fields(line)...); code == 0 || !strings.Contains(c.err.String(), want) {
			t.Errorf("sluice %s ends with %d and says %q, want %q", line, code, c.err.String(), want)
		}
	}
}
