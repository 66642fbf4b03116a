package compat_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// send is get for any method, with a body.
func send(t *testing.T, method, address, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, strings.TrimSuffix(string(got), "\n")}
}

// form posts what a form holds.
func form(t *testing.T, address string, values url.Values, headers ...string) reply {
	t.Helper()
	return send(t, http.MethodPost, address, values.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// is holds an answer against what it should be.
func (r reply) is(t *testing.T, status int, body string) {
	t.Helper()
	if r.status != status || r.body != body {
		t.Errorf("got %d %s\nwant %d %s", r.status, r.body, status, body)
	}
}
