package settings_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

const hookSecret = "0123456789abcdef0123456789abcdef" // 32 bytes

// forgeFile is a sluice.yaml with one source.
func forgeFile(url, forge string) string {
	return "allow_insecure_http: true\nallow_file_urls: true\nsources:\n  - {id: configs, url: '" + url + "', forge: {" + forge + "}}\n"
}

func TestForgesOfTheGuides(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/run/secrets/git-token": "a\n", "/run/secrets/forge-token": "b\n", "/run/secrets/webhook": hookSecret + "\n",
	}
	for name, want := range map[string]string{
		"forges.md":   "gitea https://git.example.com platform/configs",
		"webhooks.md": "gitea https://git.example.com acme/configs",
		"git.md":      "local  ",
	} {
		s, err := settings.Load(input(guide(t, name), nil, nil, files))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := s.Sources[0].Forge
		if got := fmt.Sprintf("%s %s %s", f.Type, f.URL, f.Repository); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestForgeFollowsFromTheSource(t *testing.T) {
	t.Parallel()
	const rest = ", token: t, webhook_secrets: " + hookSecret
	tests := []struct {
		rule, url, forge string
		want             string // type url repository
	}{
		{"an https URL says both", "https://git.example.com/acme/configs.git", "type: gitea", "gitea https://git.example.com acme/configs"},
		{"a port of https is the web's", "https://git.example.com:8443/acme/configs", "type: gitea", "gitea https://git.example.com:8443 acme/configs"},
		{"forgejo is gitea", "https://codeberg.org/acme/configs.git/", "type: forgejo", "gitea https://codeberg.org acme/configs"},
		{"a port of ssh is not", "ssh://git@git.example.com:2222/acme/configs.git", "type: gitlab", "gitlab https://git.example.com acme/configs"},
		{"ssh by port 443 of GitHub", "ssh://git@ssh.github.com:443/acme/configs.git", "type: github", "github https://github.com acme/configs"},
		{"and of GitLab", "ssh://git@altssh.gitlab.com:443/acme/team/configs.git", "type: gitlab", "gitlab https://gitlab.com acme/team/configs"},
		{"user@host:path", "git@github.com:acme/configs.git", "type: github", "github https://github.com acme/configs"},
		{"groups in groups", "https://gitlab.com/acme/platform/configs.git", "type: gitlab", "gitlab https://gitlab.com acme/platform/configs"},
		{"a forge below a path", "https://example.com/git/acme/configs.git", "type: gitea, url: https://example.com/git/", "gitea https://example.com/git acme/configs"},
		{"what is given wins", "https://mirror.example.com/x/y.git", "type: gitea, url: http://127.0.0.1:3000, repository: acme/configs", "gitea http://127.0.0.1:3000 acme/configs"},
		{"a mirror on this machine", "/srv/configs.git", "type: gitea, url: 'https://git.example.com', repository: acme/configs", "gitea https://git.example.com acme/configs"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s, err := settings.Load(input(forgeFile(tt.url, tt.forge+rest), nil, nil, nil))
			if err != nil {
				t.Fatal(err)
			}
			f := s.Sources[0].Forge
			if got := fmt.Sprintf("%s %s %s", f.Type, f.URL, f.Repository); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if !f.Webhooks || !f.PullRequestChecks || f.RequiredApprovals != 0 || f.CommandPermission != "maintain" {
				t.Errorf("defaults are %+v", f)
			}
		})
	}
}

func TestForgeOfTheFile(t *testing.T) {
	t.Parallel()
	key := appKey(t)
	s, err := settings.Load(input(forgeFile("https://github.com/acme/configs.git",
		"type: github, app_id: 12, app_installation_id: 34, app_private_key_file: /key, webhook_secrets_file: /secrets, "+
			"pull_request_checks: false, required_approvals: 2, command_permission: write, operators: [ann, bob]"),
		nil, nil, map[string]string{"/key": key, "/secrets": hookSecret + "1\n " + hookSecret + "2 ,\r\n" + canary + canary + "\n"}))
	if err != nil {
		t.Fatal(err)
	}
	f := s.Sources[0].Forge
	if want := []string{hookSecret + "1", hookSecret + "2", canary + canary}; !slices.Equal(f.Secrets(), want) {
		t.Errorf("secrets are %q", f.Secrets())
	}
	if f.AppID != 12 || f.AppInstallationID != 34 || f.AppPrivateKey.Reveal() != strings.TrimSpace(key) || f.PullRequestChecks ||
		f.RequiredApprovals != 2 || f.CommandPermission != "write" || !slices.Equal(f.Operators, []string{"ann", "bob"}) {
		t.Errorf("forge is %+v", f)
	}
	shown := s.LogValue().String() + fmt.Sprintf("%+v %#v", s, s) + f.LogValue().String()
	if strings.Contains(shown, canary) || strings.Contains(shown, hookSecret) || strings.Contains(shown, "PRIVATE KEY") {
		t.Errorf("a secret is shown in %s", shown)
	}
}

// TestALocalForgeMayHaveSecrets: a script may wake a source that no forge knows.
func TestALocalForgeMayHaveSecrets(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input(forgeFile("/srv/configs.git", "webhook_secrets: "+hookSecret), nil, nil, nil))
	if err != nil || !slices.Equal(s.Sources[0].Forge.Secrets(), []string{hookSecret}) {
		t.Fatalf("secrets are %q, error %v", s.Sources[0].Forge.Secrets(), err)
	}
}

// TestForgeRefused: whatever would not work, or not be safe, stops the daemon at
// its start and says which field is wrong and what to do, but no secret.
func TestForgeRefused(t *testing.T) {
	t.Parallel()
	const (
		url   = "https://git.example.com/acme/configs.git"
		gitea = "type: gitea, token: " + canary
		hook  = ", webhook_secrets: " + hookSecret
	)
	tests := []struct{ url, forge, want string }{
		{url, "type: cvs", `forge.type: "cvs" is not one of: local, github, gitea, forgejo, gitlab`},
		{url, gitea, "forge.webhook_secrets: is missing: openssl rand -hex 32 makes one; or set webhooks to false"},
		{url, gitea + ", webhook_secrets: ' , '", "forge.webhook_secrets: is missing"},
		{url, gitea + ", webhook_secrets: '" + hookSecret + "," + canary + "'", "forge.webhook_secrets: number 2 has 17 characters, at least 32 are needed: openssl rand -hex 32 makes a good one"},
		{url, "webhook_secrets: " + canary, "forge.webhook_secrets: number 1 is a key of 17 bytes, at least 32 are needed"},
		{url, "webhook_secrets: whsec_!" + canary + canary, "forge.webhook_secrets: number 1 begins with whsec_ and is no base64"},

		{"/srv/configs.git", gitea + hook, "forge.url: cannot be told from the source's url"},
		{"/srv/configs.git", gitea + hook, "forge.repository: cannot be told from the source's url, write owner/name"},
		{url, gitea + hook + ", url: 'https://u:" + canary + "@x/'", "forge.url: must be like https://git.example.com, without user or query"},
		{url, gitea + hook + ", url: 'https://x/?" + canary + "'", "forge.url: must be like"},
		{url, gitea + hook + ", url: 'ftp://x/'", "forge.url: must begin with https://"},
		{url, gitea + hook + ", repository: one/two/three", `forge.repository: "one/two/three" is not like owner/name`},
		{url, gitea + hook + ", repository: ../x", `forge.repository: "../x" is not like`},
		{url, "type: gitlab, token: t" + hook + ", repository: alone", `forge.repository: "alone" is not like group/name`},

		{url, "type: gitea" + hook, "forge.token: is missing: no commit status can be posted without one"},
		{url, "type: gitea, app_id: 3" + hook, "forge.app_id: is of GitHub alone"},
		{url, "type: github" + hook, "forge.token: is missing"},
		{url, "type: github, app_id: 3, token: t" + hook, "forge.token: is given, and an app too"},
		{url, "type: github, app_installation_id: 3, app_private_key: " + canary + hook, "forge.app_id: 0 is not the id of an app"},
		{url, "type: github, app_id: 3, app_private_key: " + canary + hook, "forge.app_private_key: is not the PEM file"},
		{url, "type: github, app_id: 3, app_installation_id: -1" + hook, "forge.app_installation_id: -1 is not"},

		{url, gitea + hook + ", required_approvals: -1", "forge.required_approvals: -1 is not between 0 and 100"},
		{url, gitea + hook + ", command_permission: read", `forge.command_permission: "read" is not none, write, maintain or admin`},
		{url, gitea + hook + ", operators: [ann, 'b b']", `forge.operators[1]: "b b" is not a login`},
		{url, gitea + hook + ", webhooks: sometimes", "forge.webhooks: \"sometimes\" is not true or false"},

		{url, "token: " + canary, "forge.token: needs a forge: set forge.type"},
		{url, "url: https://x", "forge.url: needs a forge"},
		{url, "repository: a/b", "forge.repository: needs a forge"},
		{url, "app_id: 3", "forge.app_id: needs a forge"},
		{url, "required_approvals: 1", "forge.required_approvals: needs a forge"},
		{url, "operators: [ann]", "forge.operators: needs a forge"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			_, err := settings.Load(input(forgeFile(tt.url, tt.forge), nil, nil, nil))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), hookSecret) {
				t.Errorf("the error leaks: %v", err)
			}
		})
	}
	if _, err := settings.Load(input(forgeFile(url, gitea+", webhooks: false"), nil, nil, nil)); err != nil {
		t.Errorf("polling alone needs no secret: %v", err)
	}
	if _, err := settings.Load(input("sources:\n  - {id: a, url: '"+url+"', forge: {"+gitea+hook+", url: 'http://x'}}", nil, nil, nil)); err == nil ||
		!strings.Contains(err.Error(), "forge.url: http:// is not encrypted; allow_insecure_http allows it") {
		t.Errorf("http:// is taken: %v", err)
	}
}

func appKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}
