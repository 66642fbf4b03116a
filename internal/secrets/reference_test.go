package secrets_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
)

// nobody fetches what it is asked for: the text itself.
type nobody struct{ secrets.Provider }

func (nobody) Fetch(_ context.Context, ref string) (string, error) { return ref, nil }

// Whatever a reference says, what is fetched lies below what the rule allows.
func FuzzReference(f *testing.F) {
	for _, text := range []string{
		"vault:secret/payment/db#password", "vault:secret/payment/../cart#x", "vault:secret/payment/./a#b", "vault:secret/payment//a#b", "vault:secret/payment/a#b#c",
		"vault:secret/payment/%2e%2e/cart#x", "vault:secret/payment\\..\\cart#x", "vault:secret/payment/a?b#c", "env:SLUICE_SECRET_A", "k8s:payments/a#b", "k8s:payments/../b#c",
	} {
		f.Add(text)
	}
	vault, err := secrets.NewVault(secrets.VaultOptions{URL: "http://127.0.0.1:1", Mounts: []string{"secret"}, Token: "t", Timeout: time.Second})
	if err != nil {
		f.Fatal(err)
	}
	cluster, err := secrets.NewKubernetes(secrets.KubernetesOptions{URL: "https://127.0.0.1:1", Namespaces: []string{"payments"}})
	if err != nil {
		f.Fatal(err)
	}
	k := secrets.New(secrets.Options{
		Boxes:     newBoxes(),
		Providers: map[string]secrets.Provider{"vault": nobody{vault}, "k8s": nobody{cluster}, "env": nobody{secrets.Env{Prefix: "SLUICE_SECRET_"}}},
		Allow:     []secrets.Rule{{Profiles: "*", References: []string{"vault:secret/payment/**", "k8s:payments/**", "env:**"}}},
	})
	f.Fuzz(func(t *testing.T, text string) {
		data, err := k.Open(t.Context(), payments, profile.Data{"a": ref(text)})
		if err != nil {
			return
		}
		got, _ := data["a"].(string)
		path, key, ok := strings.Cut(got, "#")
		below := strings.HasPrefix(path, "secret/payment/") || strings.HasPrefix(path, "payments/")
		climbs := strings.Contains(path, "..") && (strings.Contains(path, "/../") || strings.HasSuffix(path, "/..")) || strings.ContainsAny(path, "%?\\ ")
		if !strings.HasPrefix(got, "SLUICE_SECRET_") && (!ok || key == "" || !below || climbs) {
			t.Errorf("%q was asked for as %q", text, got)
		}
	})
}
