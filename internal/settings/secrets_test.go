package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

func TestSecretsOfTheGuide(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input(guide(t, "secrets.md"), nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if s.Secrets.Vault.Role != "sluice" || s.Secrets.Vault.Mounts[0] != "secret" || len(s.Secrets.Allow) != 2 || s.Secrets.Allow[1].Profiles != "payment-*" || s.SecretEnvPrefix != "SLUICE_SECRET_" {
		t.Errorf("%+v", s.Secrets)
	}
}

// What would give secrets away, or never opens one, is said at start, and holds none.
func TestSecretsRefused(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"secret_env_prefix: ''":                                                "secret_env_prefix: \"\" would give the daemon's own settings away",
		"secret_env_prefix: SLU":                                               "would give the daemon's own settings away",
		"secret_env_prefix: SLUICE_M":                                          "would give the daemon's own settings away",
		"secret_env_prefix: PAYMENT_":                                          "",
		"secret_env_prefix: SLUICE_SECRET_PAY_":                                "",
		"secrets: {allow: [{references: ['env:A']}]}":                          "secrets.allow[0].profiles: is empty",
		"secrets: {allow: [{profiles: '*'}]}":                                  "secrets.allow[0].references: is empty",
		"secrets: {allow: [{profiles: '*', references: ['**']}]}":              "must begin with vault:, env: or k8s:",
		"secrets: {vault: {token: " + canary + "}}":                            "secrets.vault.url: is needed with token or role",
		"secrets: {vault: {url: 'http://" + canary + "', role: a}}":            "secrets.vault.url: must be like https://",
		"secrets: {vault: {url: 'https://u:" + canary + "@v', role: a}}":       "secrets.vault.url: must be like https://",
		"secrets: {vault: {url: 'https://v', role: a, token: " + canary + "}}": "secrets.vault.token: or role must be given",
		"secrets: {vault: {url: 'https://v', role: a, timeout: 1m}}":           "secrets.vault.timeout: 1m0s is not between",
		"secrets: {kubernetes: {namespaces: [a], url: 'http://k'}}":            "secrets.kubernetes.url: must begin with https://",
		"master_key: " + canary + "\nsops_age_keys: " + canary + "\nsecrets: {vault: {url: 'https://v', token: " + canary + "}}": "",
	} {
		s, err := settings.Load(input(file, nil, nil, nil))
		if got := fmt.Sprint(err); want != "" && !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
		if shown := fmt.Sprint(err) + s.LogValue().String() + fmt.Sprintf("%v %+v", s, s); strings.Contains(shown, canary) {
			t.Errorf("%s: shown %s", file, shown)
		}
	}
}
