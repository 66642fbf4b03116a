package api_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/store"
)

// A secret that is uploaded is sealed: no answer and no file of the database has it.
func TestUploadedSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping(&atomic.Bool{}))
	w.create()
	const secret = "uploaded-canary-8812"
	path, body := "/configs/"+mine+"/versions", `{"configData": {"db": {"password": {"type": "secret", "value": "`+secret+`"}}}}`
	first := w.want(w.developer("POST", path, body, "Idempotency-Key", "one"), 201)
	again := w.want(w.developer("POST", path, body, "Idempotency-Key", "one"), 201)
	shown := w.want(w.call(w.tokens[api.Viewer], "GET", path+"/1.0.0", nil), 200)
	if !strings.Contains(string(shown.body), `"password":"***"`) {
		t.Errorf("shown as %s", shown.body)
	}
	for _, a := range []answer{first, again, shown} {
		if strings.Contains(string(a.body), secret) {
			t.Errorf("the secret is in %s", a.body)
		}
	}
	w.refused(w.developer("POST", path, `{"configData": {"db": {"password": {"$secret": "env:SLUICE_SECRET_PAYMENT"}}}}`), 400, "VALIDATION_ERROR", "configData.db.password")
	if store.IsPostgres(w.path) {
		return // what is in the file of the other engine is in its tables
	}
	for _, file := range []string{w.path, w.path + "-wal"} {
		raw, err := os.ReadFile(file)
		w.must(err)
		if strings.Contains(string(raw), secret) {
			t.Errorf("the secret is in %s", file)
		}
	}
}
