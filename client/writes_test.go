package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// A write that got no answer is sent again as the same one.
func TestWritesAreSentAgainAsTheSame(t *testing.T) {
	t.Parallel()
	var keys, matches []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys, matches = append(keys, r.Header.Get("Idempotency-Key")), append(matches, r.Header.Get("If-Match"))
		if r.Method == http.MethodGet {
			w.Header().Set("ETag", `"seen"`)
		} else if len(keys) == 2 {
			panic(http.ErrAbortHandler) // the connection breaks before an answer
		}
		_, _ = io.WriteString(w, `{"name": "p"}`)
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Options{Server: srv.URL, Token: "slt_secret"})
	if err != nil {
		t.Fatal(err)
	}
	_, tag, err := c.ConfigTag(t.Context(), "p")
	if err != nil || tag != `"seen"` {
		t.Fatalf("the tag is %q, %v", tag, err)
	}
	if _, err := c.UpdateConfig(t.Context(), "p", wire.UpdateConfigRequest{}, tag); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteConfig(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 4 || keys[0] != "" || keys[1] == "" || keys[2] != keys[1] || keys[3] == keys[1] || matches[2] != tag {
		t.Errorf("keys %q, If-Match %q", keys, matches)
	}
}
