package settings_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

// places are the settings that hold a secret which somebody chooses, as a file with a hole.
var places = map[string]string{
	"admin_password":     "admin_password: '%s'\n",
	"registration_token": "registration_token: '%s'\n",
	"session_keys":       "session_keys: '%s'\n",
	"sources[0].forge.webhook_secrets": "sources: [{id: a, url: 'https://git.example.com/a/b.git', forge: {type: gitea, token: t, " +
		"webhook_secrets: '%s'}}]\n",
	"traffic_hooks[0].secret":         "traffic_hooks: [{name: a, url: 'https://h/x', secret: '%s'}]\n",
	"gates[0].secret":                 "gates: [{name: a, url: 'https://h/x', secret: '%s'}]\n",
	"notifications.targets[0].secret": "notifications: {targets: [{name: a, type: webhook, url: 'https://h/x', secret: '%s'}]}\n",
}

func loadSecret(place, secret string) error {
	_, err := settings.Load(settings.Input{File: fmt.Appendf(nil, places[place], secret)})
	return err
}

// Whatever somebody could guess stops the daemon at its start, wherever it stands.
// The error says which setting it is and what makes a good one, and not what it is.
func TestWeakSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"changeme", "your_jwt_secret_key_here", "secure_password", "password", "admin",
		strings.Repeat("a", 40), strings.Repeat("ab", 20), strings.Repeat("\t.-", 20),
		"changeme-changeme-changeme-changeme", "Your-JWT-Secret-Key-Here-Replace-In-Production",
		"please-change-this-default-session-signing-key-string", "PASSWORD_password_Passw0rd_password",
		"sluice-registration-token-for-production",
	} {
		for place := range places {
			err := loadSecret(place, secret)
			if err == nil || !strings.Contains(err.Error(), place+": ") || !strings.Contains(err.Error(), "openssl rand") {
				t.Errorf("%s: %q: error is %v", place, secret, err)
			}
			if err != nil && strings.Contains(err.Error(), secret) && len(secret) > 8 {
				t.Errorf("%s: the error repeats the secret: %v", place, err)
			}
		}
	}
	for _, secret := range []string{"short", "password1234", "admin-2026", "Qwerty1234567", "letmein12345678", "sluice-admin!", "correct"} {
		if loadSecret("admin_password", secret) == nil {
			t.Errorf("%q is taken as a password", secret)
		}
	}
}

// What the commands of docs/keys.md make is taken everywhere.
func TestStrongSecrets(t *testing.T) {
	t.Parallel()
	for place := range places {
		for range 20 {
			raw := make([]byte, 32)
			rand.Read(raw)
			for _, secret := range []string{hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)} {
				if err := loadSecret(place, secret); err != nil {
					t.Fatalf("%s: %v: %q", place, err, secret)
				}
			}
		}
	}
	raw := make([]byte, 24)
	rand.Read(raw)
	for _, secret := range []string{
		"correct horse battery", base64.StdEncoding.EncodeToString(raw), "korrektes Pferd", "пароль-на-сервере", "my-admin-password-5f1e0c",
	} {
		if err := loadSecret("admin_password", secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// Each key of a list is looked at, and a key in PEM is none of words.
func TestEveryKeyOfAList(t *testing.T) {
	t.Parallel()
	good, weak := strings.Repeat("0123456789abcdef", 4), "this-is-the-session-signing-key-of-production"
	file := "session_keys: |\n"
	for line := range strings.Lines(strings.TrimSpace(appKey(t)) + "\n" + good + "\n" + weak) {
		file += "  " + line
	}
	_, err := settings.Load(settings.Input{File: []byte(file)})
	if err == nil || !strings.Contains(err.Error(), "session_keys: key 3 is made of words") {
		t.Errorf("error is %v", err)
	}
	if err := loadSecret("sources[0].forge.webhook_secrets", good+","+weak); err == nil || !strings.Contains(err.Error(), "number 2 is made of words") {
		t.Errorf("error is %v", err)
	}
}
