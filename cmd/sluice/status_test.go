package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

func commitStatus(state string) wire.CommitStatus {
	return wire.CommitStatus{
		Source: "configs", Commit: "9f1c2ab47dd0e5b6", Context: "sluice/payment-service.production", State: state,
		Description: "canary 30%, 3 of 10 instances",
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	posted, late, stuck := commitStatus("success"), commitStatus("pending"), commitStatus("failure")
	posted.PostedAt = new(noon.Add(-3 * time.Second))
	stuck.PostError = "the forge answered 401"
	d := newDaemon(t)
	d.answers("GET /statuses/9f1c2ab", page(posted, late, stuck))
	c := newConsole(t, d)
	c.wants(t, 1, "status", "9f1c2ab")
	golden(t, "table/status.txt", c.out.String())
	if c.err.Len() > 0 {
		t.Errorf("the table says it already: %q", c.err.String())
	}
	c.terminal(120, 24, "")
	c.wants(t, 1, "status", "9f1c2ab")
	golden(t, "table/status.terminal.txt", strings.ReplaceAll(c.out.String(), "\x1b", "^["))
}

func TestStatusExitCode(t *testing.T) {
	t.Parallel()
	for states, code := range map[string]int{"success": 0, "success pending": 0, "success failure": 1, "error": 1, "": 1} {
		d := newDaemon(t)
		var list []wire.CommitStatus
		for state := range strings.FieldsSeq(states) {
			list = append(list, commitStatus(state))
		}
		d.answers("GET /statuses/9f1c2ab", page(list...))
		c := newConsole(t, d)
		c.wants(t, code, "status", "9f1c2ab", "-o", "json")
		if states == "" {
			c.wants(t, code, "status", "9f1c2ab")
			if !strings.Contains(c.err.String(), "it is not on a watched branch, or has not been read yet") {
				t.Errorf("stderr is %q", c.err.String())
			}
		}
	}
}

func TestStatusWaits(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	n := 0
	d.mux.HandleFunc("GET /api/v1/statuses/9f1c2ab", func(w http.ResponseWriter, _ *http.Request) {
		n++
		switch n {
		case 1:
			refuse(w, 404, "NOT_FOUND", "no commit 9f1c2ab")
		case 2:
			reply(w, 200, page[wire.CommitStatus]())
		case 3:
			reply(w, 200, page(commitStatus("success"), commitStatus("pending")))
		default:
			reply(w, 200, page(commitStatus("success")))
		}
	})
	c := newConsole(t, d)
	r, err := (&connection{sh: c.shell}).open()
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := r.settledStatuses(t.Context(), "9f1c2ab", true, time.Millisecond)
	if err != nil || len(statuses) != 1 || n != 4 {
		t.Errorf("after %d answers: %v, %v", n, statuses, err)
	}
	n = 0
	if _, err := r.settledStatuses(t.Context(), "9f1c2ab", false, time.Millisecond); err == nil {
		t.Error("without --wait an unknown commit is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.settledStatuses(ctx, "9f1c2ab", true, time.Hour); err == nil {
		t.Error("it does not stop when it is interrupted")
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		401: "sluice login signs in",
		403: "Your role or your token's scope does not allow it",
		404: "sluice get profiles lists what there is.",
	} {
		d := newDaemon(t)
		d.refuses("GET /configs/x", status, map[int]string{401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}[status], "no")
		c := newConsole(t, d)
		c.wants(t, map[int]int{401: exitDenied, 403: exitDenied, 404: exitUnknown}[status], "get", "profiles", "x")
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("%d says %q, want %q", status, c.err.String(), want)
		}
	}

	d := newDaemon(t)
	d.mux.HandleFunc("POST /api/v1/configs/x/release", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		refuse(w, 429, "RATE_LIMIT_EXCEEDED", "too many requests")
	})
	d.mux.HandleFunc("POST /api/v1/configs/y/release", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 429, "RATE_LIMIT_EXCEEDED", "too many requests")
	})
	d.mux.HandleFunc("GET /api/v1/configs/z", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nginx", http.StatusNotFound) })
	c := newConsole(t, d)
	for line, want := range map[string]struct {
		code int
		hint string
	}{
		"release x --reason r": {exitAway, "Try again in 7s."},
		"release y --reason r": {exitAway, "Try again in a minute."},
		"get profiles z":       {exitTrouble, "Something else than Sluice answered there"},
	} {
		c.wants(t, want.code, strings.Fields(line)...)
		if !strings.Contains(c.err.String(), want.hint) {
			t.Errorf("%s says %q, want %q", line, c.err.String(), want.hint)
		}
	}

	d.Close()
	c.wants(t, exitAway, "release", "x", "--reason", "r")
	if !strings.Contains(c.err.String(), "Is the daemon running? "+d.URL+" comes from SLUICE_SERVER") {
		t.Errorf("stderr is %q", c.err.String())
	}
}
