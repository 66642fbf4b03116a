package secrets_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
)

const (
	vaultToken = "canary-vault-token-5e1d"
	vaultValue = "canary-vault-value-90ab"
)

// vaultKeeper opens references to a Vault for payment-* profiles.
func vaultKeeper(t *testing.T, server *testenv.Vault, change ...func(*secrets.VaultOptions)) *secrets.Keeper {
	t.Helper()
	opts := secrets.VaultOptions{URL: server.URL, Mounts: []string{"team", "secret", "team/kv"}, Token: vaultToken, Timeout: 5 * time.Second}
	for _, c := range change {
		c(&opts)
	}
	v, err := secrets.NewVault(opts)
	if err != nil {
		t.Fatal(err)
	}
	return secrets.New(secrets.Options{
		Boxes: newBoxes(), Providers: map[string]secrets.Provider{"vault": v},
		Allow: []secrets.Rule{{Profiles: "payment-*", References: []string{"vault:secret/payment/*#*", "vault:team/**", "vault:secret/own/{profile}#*"}}},
	})
}

func open(t *testing.T, k *secrets.Keeper, name, reference string) (any, error) {
	t.Helper()
	data, err := k.Open(t.Context(), name, profile.Data{"db": map[string]any{"password": ref(reference)}})
	if err != nil {
		if text := err.Error(); strings.Contains(text, "canary") {
			t.Errorf("the error holds a secret: %s", text)
		}
		return nil, err
	}
	return data["db"].(map[string]any)["password"], nil
}

func TestVault(t *testing.T) {
	t.Parallel()
	server := testenv.NewVault(t, vaultToken)
	server.Put("secret/payment/db", map[string]any{"password": vaultValue, "number": 7})
	server.Put("team/kv/db", map[string]any{"password": "of the longer mount"})
	server.Put("secret/own/payment-service.production", map[string]any{"password": "own"})
	server.Put("secret/cart/db", map[string]any{"password": "of the cart"})
	k := vaultKeeper(t, server)
	for reference, want := range map[string]string{
		"vault:secret/payment/db#password":                     vaultValue,
		"vault:team/kv/db#password":                            "of the longer mount",
		"vault:secret/own/payment-service.production#password": "own",
	} {
		if got, err := open(t, k, payments, reference); err != nil || got != want {
			t.Errorf("%s: %v, %v", reference, got, err)
		}
	}
	for reference, want := range map[string]string{
		"vault:secret/cart/db#password":              "no rule of secrets.allow lets payment-service.production",
		"vault:secret/own/payment-other#password":    "no rule of secrets.allow",
		"vault:secret/payment/../cart/db#password":   "has a . or .. in it",
		"vault:secret/payment/a/b#password":          "no rule of secrets.allow",
		"vault:secret/payment/%2e%2e/cart#password":  "is not mount/path#key",
		"vault:secret/payment//db#password":          "is not mount/path#key",
		"vault:secret/payment/db?version=1#password": "is not mount/path#key",
		"vault:sys/mounts#password":                  "no mount of secrets.vault.mounts",
		"vault:secret/payment/db#other":              "has no such key",
		"vault:secret/payment/db#number":             "holds no text",
		"vault:secret/payment/none#password":         "nothing at this path",
		"k8s:payments/db#password":                   "no provider k8s is configured",
	} {
		_, err := open(t, k, payments, reference)
		if e := refused(t, err); e.Path != "$.db.password" || e.Away || !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %v (away %v), want %q", reference, e, e.Away, want)
		}
	}
	if _, err := open(t, k, "cart.production", "vault:secret/payment/db#password"); err == nil {
		t.Error("a profile that no rule names opened a secret")
	}
}

// What may pass is told apart from what will not, and neither repeats what the
// server said.
func TestVaultAnswers(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		want string
		away bool
	}{
		http.StatusForbidden:           {"permission denied", false},
		http.StatusNotFound:            {"nothing at this path", false},
		http.StatusBadRequest:          {"the server answers 400", false},
		http.StatusTooManyRequests:     {"the server answers 429", true},
		http.StatusInternalServerError: {"the server answers 500", true},
		http.StatusServiceUnavailable:  {"the server answers 503", true},
		http.StatusFound:               {"the server does not answer", true},
	} {
		server := testenv.NewVault(t, vaultToken)
		server.Fault(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/canary")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"errors": ["canary: %s"]}`, r.Header.Get("X-Vault-Token"))
			return true
		})
		_, err := open(t, vaultKeeper(t, server), payments, "vault:secret/payment/db#password")
		if e := refused(t, err); !strings.Contains(e.Reason, c.want) || e.Away != c.away {
			t.Errorf("%d: %v (away %v), want %q, %v", status, e, e.Away, c.want, c.away)
		}
	}
	gone := testenv.NewVault(t, vaultToken)
	gone.Fault(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	_, err := open(t, vaultKeeper(t, gone), payments, "vault:secret/payment/db#password")
	if e := refused(t, err); !e.Away || !strings.Contains(e.Reason, "the server does not answer") {
		t.Errorf("a server that hangs up: %v", e)
	}
}

// A role signs in when something is read, and again when its token was taken back.
func TestVaultRole(t *testing.T) {
	t.Parallel()
	server := testenv.NewVault(t, vaultToken)
	server.Login("sluice", "jwt-of-the-account")
	server.Put("secret/payment/db", map[string]any{"password": vaultValue})
	jwt := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(jwt, []byte("jwt-of-the-account\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	as := func(role string) *secrets.Keeper {
		return vaultKeeper(t, server, func(o *secrets.VaultOptions) {
			o.Token, o.Role, o.AuthMount, o.JWTFile = "", role, "kubernetes", jwt
		})
	}
	k := as("sluice")
	for i := range 4 {
		if i == 2 {
			server.Revoke()
		}
		if got, err := open(t, k, payments, "vault:secret/payment/db#password"); err != nil || got != vaultValue {
			t.Fatalf("read %d: %v, %v", i, got, err)
		}
	}
	if _, _, logins := server.Counts(); logins != 2 {
		t.Errorf("%d sign-ins, want one and one after the tokens were taken back", logins)
	}
	_, err := open(t, as("another"), payments, "vault:secret/payment/db#password")
	if e := refused(t, err); !strings.Contains(e.Reason, "the sign-in as a service account was refused") {
		t.Errorf("another role: %v", e)
	}
}

// A fleet that asks at once is one question, and each gets the answer.
func TestVaultAskedTogether(t *testing.T) {
	t.Parallel()
	server := testenv.NewVault(t, vaultToken)
	server.Put("secret/payment/db", map[string]any{"password": vaultValue})
	first, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	server.Fault(func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { close(first) })
		<-hold
		return false
	})
	k := vaultKeeper(t, server)
	ctx, leave := context.WithCancel(t.Context())
	impatient := make(chan error, 1)
	go func() {
		_, err := k.Open(ctx, payments, profile.Data{"a": ref("vault:secret/payment/db#password")})
		impatient <- err
	}()
	<-first
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := open(t, k, payments, "vault:secret/payment/db#password"); err != nil || got != vaultValue {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	leave() // who asked first takes nobody's answer along
	if e := refused(t, <-impatient); !e.Away {
		t.Errorf("who left: %v", e)
	}
	close(hold)
	all.Wait()
	if reads, _, _ := server.Counts(); reads > 20 {
		t.Errorf("%d reads", reads)
	}
}

// The daemon's token is renewed while nothing is read.
func TestVaultTokenIsRenewed(t *testing.T) {
	t.Parallel()
	server := testenv.NewVault(t, vaultToken)
	var said strings.Builder
	v, err := secrets.NewVault(secrets.VaultOptions{URL: server.URL, Mounts: []string{"secret"}, Token: vaultToken, Timeout: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	for {
		if _, renewed, _ := server.Counts(); renewed > 0 {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if strings.Contains(said.String(), "canary") {
		t.Errorf("the log holds the token: %s", said.String())
	}
}
