package api_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/store"
)

// raw runs SQL past the store.
func (w *world) raw(statement string, args ...any) {
	w.t.Helper()
	driver, dsn := "sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(w.path) {
		driver, dsn = "pgx", w.path
	}
	db, err := sql.Open(driver, dsn)
	w.must(err)
	_, err = db.ExecContext(w.t.Context(), statement, args...)
	w.must(err)
	w.must(db.Close())
}

// The same request with the same key is made once and answered twice.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	path, body := "/configs/"+mine+"/versions", `{"configData": {"a": 1}}`
	first := w.want(w.developer("POST", path, body, "Idempotency-Key", "one"), 201)
	again := w.want(w.developer("POST", path, body, "Idempotency-Key", "one"), 201)
	if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("answered %s and %s %v", first.body, again.body, again.header)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		if first.header.Get(name) == "" || again.header.Get(name) != first.header.Get(name) {
			t.Errorf("%s is %q, was %q", name, again.header.Get(name), first.header.Get(name))
		}
	}
	if again.header.Get("X-Trace-Id") == first.header.Get("X-Trace-Id") {
		t.Error("the answer of another request has the trace of the first")
	}
	// Another body, another path and another precondition are other requests.
	w.want(w.developer("POST", path, `{"configData": {"a": 2}}`, "Idempotency-Key", "one"), 422, "IDEMPOTENCY_KEY_REUSED")
	w.want(w.developer("PUT", "/configs/"+mine, body, "Idempotency-Key", "one"), 422, "IDEMPOTENCY_KEY_REUSED")
	w.want(w.developer("POST", path, body, "Idempotency-Key", "one", "If-Match", `"x"`), 422, "IDEMPOTENCY_KEY_REUSED")
	// Another caller's key is another one, and a new key is a new request.
	w.want(w.call(w.tokens[api.Admin], "POST", path, body, "Idempotency-Key", "one"), 409, "CONFLICT")
	w.want(w.developer("POST", path, body, "Idempotency-Key", "two"), 409, "CONFLICT")

	// A refusal is an answer too.
	w.want(w.developer("POST", path, body, "Idempotency-Key", "two"), 409, "CONFLICT")
	for range 2 {
		w.want(w.developer("PATCH", path+"/1.0.0", `{"tags": ["x"]}`, "Idempotency-Key", "three"), 200)
	}
	for range 2 {
		w.want(w.call(w.tokens[api.Admin], "DELETE", path+"/1.0.0", nil, "Idempotency-Key", "four"), 204)
	}
	w.want(w.developer("POST", path, body, "Idempotency-Key", strings.Repeat("k", 256)), 400, "VALIDATION_ERROR")
	if n := len(w.audited("version.uploaded")) + len(w.audited("version.removed")) + len(w.audited("version.changed")); n != 3 {
		t.Errorf("%d changes were made, want 3", n)
	}
	w.want(w.developer("POST", path, strings.Repeat("x", 3<<20), "Idempotency-Key", "five"), 413, "PAYLOAD_TOO_LARGE")
}

// Many at once with one key make it once: the others are told to wait, or get
// the same answer.
func TestIdempotencyKeyRaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			got := w.developer("POST", "/configs", fmt.Sprintf(`{"name": "race%d.dev", "environment": "Development"}`, i%2), "Idempotency-Key", fmt.Sprint("race", i%2))
			busy := got.status == 409 && strings.Contains(string(got.body), "under way") && got.header.Get("Retry-After") == "1"
			if got.status != 201 && !busy {
				t.Errorf("answered %d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	if n := len(w.audited("config.created")); n != 2 {
		t.Errorf("%d profiles were made, want 2", n)
	}
}

// Between what a request does and its answer the process may end: what was done
// is not done again, and what was not, is.
func TestIdempotencyKeyAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	path := "/configs/" + mine + "/versions"
	ask := func(key, body string) answer { return w.developer("POST", path, body, "Idempotency-Key", key) }
	w.want(ask("done", `{"configData": {"a": 1}}`), 201)
	w.want(ask("not done", `{"configData": []}`), 400)
	// As a kill -9 leaves them: claimed, one of them effective, none answered.
	w.raw(`UPDATE idempotency_keys SET answered_at = NULL, status = 0, body = ''`)
	for _, key := range []string{"done", "not done"} {
		body := map[string]string{"done": `{"configData": {"a": 1}}`, "not done": `{"configData": []}`}[key]
		if got := w.want(ask(key, body), 409, "CONFLICT"); !strings.Contains(string(got.body), "under way") {
			t.Errorf("%s: %s", key, got.body)
		}
	}
	past := any(time.Now().Add(-time.Minute).UnixMicro())
	if store.IsPostgres(w.path) {
		past = time.Now().Add(-time.Minute)
	}
	w.raw(`UPDATE idempotency_keys SET claimed_at = $1`, past)
	if got := w.want(ask("done", `{"configData": {"a": 1}}`), 409, "CONFLICT"); !strings.Contains(string(got.body), "was carried out") {
		t.Errorf("done: %s", got.body)
	}
	w.want(ask("not done", `{"configData": []}`), 400, "VALIDATION_ERROR") // made again
	if n := len(w.audited("version.uploaded")); n != 1 {
		t.Errorf("%d versions were made, want 1", n)
	}
	// After a day a key is free.
	long := any(time.Now().Add(-store.KeptKeys - time.Minute).UnixMicro())
	if store.IsPostgres(w.path) {
		long = time.Now().Add(-store.KeptKeys - time.Minute)
	}
	w.raw(`UPDATE idempotency_keys SET claimed_at = $1`, long)
	w.want(ask("done", `{"configData": {"a": 2}}`), 201)
}

// Of what holds a secret nothing is kept, and nothing kept tells what was asked.
func TestIdempotencyKeyKeepsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := uuid.NewString()
	var tokens [2]wire.Token
	for i := range tokens {
		w.want(w.call(w.tokens[api.Admin], "POST", "/tokens", wire.TokenRequest{Name: fmt.Sprint("t", i), Role: "Viewer"}, "Idempotency-Key", key), 201).into(t, &tokens[i])
	}
	if tokens[0].Token == tokens[1].Token {
		t.Error("a token was shown twice")
	}
	if n := w.rows("idempotency_keys"); n != 0 {
		t.Errorf("%d keys are kept", n)
	}
	w.want(w.developer("POST", "/configs", `{"name": "`+mine+`", "environment": "Development"}`, "Idempotency-Key", key), 201)
	if n := w.rows("idempotency_keys"); n != 1 {
		t.Errorf("%d keys are kept", n)
	}
}

func (w *world) rows(table string) (n int) {
	w.t.Helper()
	driver, dsn := "sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(w.path) {
		driver, dsn = "pgx", w.path
	}
	db, err := sql.Open(driver, dsn)
	w.must(err)
	w.must(db.QueryRowContext(w.t.Context(), `SELECT count(*) FROM `+table).Scan(&n))
	w.must(db.Close())
	return n
}

// What takes a change back does not fail for its key.
func TestUrgentWithoutItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	d := w.deploy("1.0.1")
	w.reaches(d.ID, "InProgress")
	paused := w.want(w.asOperator("POST", "/deployments/"+d.ID+"/pause", `{}`, "Idempotency-Key", "p"), 200)
	again := w.want(w.asOperator("POST", "/deployments/"+d.ID+"/pause", `{}`, "Idempotency-Key", "p"), 200)
	if string(paused.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("paused again: %s", again.body)
	}
	w.raw(`DROP TABLE idempotency_keys`)
	w.want(w.asOperator("POST", "/configs/"+name+"/release", `{}`, "Idempotency-Key", "r"), 500) // nothing urgent
	w.want(w.asOperator("POST", "/configs/"+name+"/rollback", `{"reason": "it hurts"}`, "Idempotency-Key", "b"), 200)
}

func (w *world) asOperator(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.call(w.tokens[api.Operator], method, path, body, headers...)
}

// A table of keys that is locked holds nobody up for long who takes a change back.
func TestUrgentBehindALockedKeyTable(t *testing.T) {
	t.Parallel()
	on := postgres(t)
	on.URL += patient
	w := newWorldOn(t, on, time.Minute)
	w.profile()
	w.version("1.0.0", data("1s"))
	w.version("1.0.1", data("2s"))
	one := w.register("one")
	w.complete("1.0.0", one)
	w.reaches(w.deploy("1.0.1").ID, "InProgress")
	db, err := sql.Open("pgx", w.path)
	w.must(err)
	defer db.Close()
	lock, err := db.BeginTx(t.Context(), nil)
	w.must(err)
	_, err = lock.ExecContext(t.Context(), "LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE")
	w.must(err)
	// The table stays locked until this is answered, and nothing else ends the wait before the whole request fails.
	w.want(w.asOperator("POST", "/configs/"+name+"/rollback", `{"reason": "it hurts"}`, "Idempotency-Key", "b"), 200)
	w.must(lock.Rollback())
}

// What failed by the server's fault may be asked for again with the same key.
func TestIdempotencyKeyAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create()
	w.raw(`ALTER TABLE config_versions RENAME TO hidden`)
	ask := func() answer {
		return w.developer("POST", "/configs/"+mine+"/versions", `{"configData": {"a": 1}}`, "Idempotency-Key", "one")
	}
	w.want(ask(), 500, "INTERNAL_ERROR")
	w.raw(`ALTER TABLE hidden RENAME TO config_versions`)
	w.want(ask(), 201)
}
