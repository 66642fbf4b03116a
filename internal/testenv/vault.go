package testenv

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Vault is a server that speaks as much of HashiCorp Vault's API as reads a KV
// version 2 engine: sign-in as a Kubernetes service account, look-up and renewal
// of tokens, and faults on demand. It repeats what it is sent in its errors, as
// careless servers do.
type Vault struct {
	URL string

	mu      sync.Mutex
	secrets map[string]map[string]any // by mount/path
	tokens  map[string]bool
	role    string
	jwt     string
	fault   func(w http.ResponseWriter, r *http.Request) bool
	reads   int
	renewed int
	logins  int
}

// NewVault starts a server that takes the token.
func NewVault(t testing.TB, token string) *Vault {
	t.Helper()
	v := &Vault{secrets: map[string]map[string]any{}, tokens: map[string]bool{token: true}}
	server := httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(server.Close)
	v.URL = server.URL
	return v
}

// Put keeps a secret at mount/path.
func (v *Vault) Put(path string, data map[string]any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[path] = data
}

// Login lets a role sign in with a service account's token.
func (v *Vault) Login(role, jwt string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.role, v.jwt = role, jwt
}

// Revoke takes every token back.
func (v *Vault) Revoke() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.tokens)
}

// Fault answers in the server's place while it says true; nil ends it.
func (v *Vault) Fault(fault func(w http.ResponseWriter, r *http.Request) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = fault
}

// Counts says how many secrets were read, tokens renewed and sign-ins made.
func (v *Vault) Counts() (reads, renewed, logins int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reads, v.renewed, v.logins
}

func (v *Vault) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	fault := v.fault
	v.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if path == "auth/kubernetes/login" {
		v.login(w, r)
		return
	}
	token := r.Header.Get("X-Vault-Token")
	if !v.tokens[token] {
		refuse(w, http.StatusForbidden, "permission denied for "+token)
		return
	}
	switch path {
	case "auth/token/lookup-self":
		answer(w, map[string]any{"data": map[string]any{"ttl": 3600, "renewable": true, "id": token}})
	case "auth/token/renew-self":
		v.renewed++
		answer(w, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": 3600, "renewable": true}})
	default:
		v.read(w, path)
	}
}

func (v *Vault) login(w http.ResponseWriter, r *http.Request) {
	var req struct{ Role, JWT string }
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Role != v.role || req.JWT != v.jwt {
		refuse(w, http.StatusForbidden, "no sign-in for "+req.JWT)
		return
	}
	v.logins++
	token := "hvs.role-token-of-a-service-account"
	v.tokens[token] = true
	answer(w, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": 3600, "renewable": true}})
}

func (v *Vault) read(w http.ResponseWriter, path string) {
	mount, rest, ok := strings.Cut(path, "/data/")
	data, found := v.secrets[mount+"/"+rest]
	if !ok || !found {
		refuse(w, http.StatusNotFound)
		return
	}
	v.reads++
	answer(w, map[string]any{"data": map[string]any{
		"data": data, "metadata": map[string]any{"version": 1, "created_time": "2026-03-01T12:00:00Z", "deletion_time": "", "destroyed": false},
	}})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body) //nolint:errcheck // whoever asked has left
}

func refuse(w http.ResponseWriter, status int, errs ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, errs...)}) //nolint:errcheck // whoever asked has left
}
