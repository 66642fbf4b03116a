package secrets_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/secrets"
)

// cluster is an API with one secret, for whoever has the account's token.
func cluster(t *testing.T, status int) *secrets.Keeper {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case status != http.StatusOK:
			http.Error(w, "canary: "+r.Header.Get("Authorization"), status)
		case r.Header.Get("Authorization") != "Bearer canary-account-token":
			http.Error(w, "canary", http.StatusUnauthorized)
		case r.URL.Path != "/api/v1/namespaces/payments/secrets/db":
			http.Error(w, "{}", http.StatusNotFound)
		default:
			fmt.Fprintf(w, `{"data": {"password": %q, "binary": %q, "broken": "?"}}`,
				base64.StdEncoding.EncodeToString([]byte("canary-kubernetes")), base64.StdEncoding.EncodeToString([]byte{0xff, 0xfe}))
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string][]byte{"ca.crt": ca, "token": []byte("canary-account-token\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	api, err := secrets.NewKubernetes(secrets.KubernetesOptions{
		URL: server.URL + "/", TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"), Namespaces: []string{"payments"}, Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return secrets.New(secrets.Options{Boxes: newBoxes(), Providers: map[string]secrets.Provider{"k8s": api}, Allow: []secrets.Rule{{Profiles: "*", References: []string{"k8s:**"}}}})
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	k := cluster(t, http.StatusOK)
	if got, err := open(t, k, payments, "k8s:payments/db#password"); err != nil || got != "canary-kubernetes" {
		t.Errorf("%v, %v", got, err)
	}
	for reference, want := range map[string]string{
		"k8s:kube-system/db#password":       "not in secrets.kubernetes.namespaces",
		"k8s:payments/../../nodes#password": "is not namespace/name#key",
		"k8s:payments/a..b#password":        "is not namespace/name#key",
		"k8s:payments/none#password":        "there is no such secret",
		"k8s:payments/db#none":              "has no such key",
		"k8s:payments/db#binary":            "holds no text",
		"k8s:payments/db#broken":            "holds no text",
	} {
		_, err := open(t, k, payments, reference)
		if e := refused(t, err); e.Away || !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %v, want %q", reference, e, want)
		}
	}
	for status, away := range map[int]bool{401: true, 403: false, 404: false, 429: true, 500: true, 503: true, 302: true} {
		_, err := open(t, cluster(t, status), payments, "k8s:payments/db#password")
		if e := refused(t, err); e.Away != away {
			t.Errorf("%d: %v is away %v, want %v", status, e, e.Away, away)
		}
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"SLUICE_SECRET_DB": "canary-env", "SLUICE_MASTER_KEY": "canary-master", "SLUICE_SECRET_EMPTY": ""}
	env := secrets.Env{Prefix: "SLUICE_SECRET_", Lookup: func(name string) (string, bool) { v, ok := variables[name]; return v, ok }}
	k := secrets.New(secrets.Options{Boxes: newBoxes(), Providers: map[string]secrets.Provider{"env": env}, Allow: []secrets.Rule{{Profiles: "*", References: []string{"env:**"}}}})
	if got, err := open(t, k, payments, "env:SLUICE_SECRET_DB"); err != nil || got != "canary-env" {
		t.Errorf("%v, %v", got, err)
	}
	for reference, want := range map[string]string{
		"env:SLUICE_MASTER_KEY":   "only variables that begin with",
		"env:PATH":                "only variables that begin with",
		"env:SLUICE_SECRET_EMPTY": "is not set",
		"env:SLUICE_SECRET_NONE":  "is not set",
		"env:SLUICE_SECRET_A=B":   "is not the name of a variable",
	} {
		_, err := open(t, k, payments, reference)
		if e := refused(t, err); !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %v, want %q", reference, e, want)
		}
	}
}
