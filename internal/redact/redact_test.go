package redact_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/redact"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]bool{
		"password":              true,
		"adminPassword":         true,
		"registration_token":    true,
		"Authorization":         true,
		"X-API-Key":             true,
		"SLUICE_MASTER_KEY":     true,
		"set-cookie":            true,
		"clientSecret":          true,
		"token_file":            false, // where it is, not what it is
		"tokenId":               false,
		"secret_name":           false,
		"deployment":            false,
		"key":                   false,
		"profile":               false,
		"password_changed_at":   false,
		"proxy-authorization":   true,
		"service.credentials":   true,
		"ssh private key":       true,
		"tokens_revoked_count":  false,
		"authorization_kind":    false,
		"apiKey":                true,
		"forge.webhook.secrets": true,
	} {
		if got := redact.Key(name); got != secret {
			t.Errorf("Key(%q) = %v, want %v", name, got, secret)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://example.com/configs.git":              "https://example.com/configs.git",
		"https://CANARY@example.com/x.git":             "https://***@example.com/x.git",
		"https://user:CANARY@example.com/x.git":        "https://***@example.com/x.git",
		"https://hooks.example.com/x?token=CANARY":     "https://hooks.example.com/x?***",
		"https://example.com/x#CANARY":                 "https://example.com/x",
		"postgres://sluice:CANARY@db/sluice?sslmode=x": "postgres://***@db/sluice?***",
		"https://user:CANARY@[bad":                     redact.Mask,
		"sqlite:./data/sluice.db":                      "sqlite:./data/sluice.db",
	} {
		got := redact.URL(in)
		if got != want {
			t.Errorf("URL(%q) = %q, want %q", in, got, want)
		}
		if strings.Contains(got, "CANARY") {
			t.Errorf("URL(%q) = %q leaks", in, got)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nothing here": "nothing here",
		"fetch https://example.com/a.git: refused":               "fetch https://example.com/a.git: refused",
		`Get "https://u:CANARY@example.com/a?b=CANARY": timeout`: `Get "https://***@example.com/a?***": timeout`,
		"Authorization: Bearer CANARYCANARY":                     "Authorization: Bearer ***",
		"token slt_CANARYCANARY was refused":                     "token *** was refused",
		"two https://a@x/ and https://b@y/":                      "two https://***@x/ and https://***@y/",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}
