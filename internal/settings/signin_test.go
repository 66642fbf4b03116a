package settings_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

func TestSignInSettings(t *testing.T) {
	t.Parallel()
	const oidc = "external_url: https://sluice.example.com\noidc_issuer: https://idp.example.com\noidc_client_id: sluice\n"
	for want, file := range map[string]string{
		"":                               oidc + "oidc_roles: [sluice-admins=Admin, 'cn=ops,dc=example=Operator']\n",
		"session_keys: key 1 has 5":      "session_keys: short\n",
		"tls_key_file: goes with":        "tls_cert_file: /x\n",
		"oidc_issuer: is needed":         "oidc_client_id: sluice\n",
		"external_url: is needed":        strings.Replace(oidc, "external_url: https://sluice.example.com\n", "", 1) + "oidc_roles: [a=Viewer]\n",
		"oidc_issuer: must be like":      strings.Replace(oidc, "https://idp", "http://idp", 1) + "oidc_roles: [a=Viewer]\n",
		"oidc_roles: is needed":          oidc,
		`oidc_roles: "a=King" is not`:    oidc + "oidc_roles: [a=King]\n",
		`oidc_roles: "=Viewer" is not`:   oidc + "oidc_roles: ['=Viewer']\n",
		`oidc_roles: "a" is given twice`: oidc + "oidc_roles: [a=Viewer, a=Admin]\n",
		`oidc_roles: "a=Registration"`:   oidc + "oidc_roles: [a=Registration]\n",
	} {
		s, err := settings.Load(settings.Input{File: []byte(file)})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s\nis refused: %v", file, err)
		case want == "":
			if roles, err := s.RolesOfClaims(); err != nil || roles["cn=ops,dc=example"] != "Operator" || roles["sluice-admins"] != "Admin" {
				t.Errorf("roles are %v, %v", roles, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s\ngave %v, want %q", file, err, want)
		}
	}
}

// TestAccessGuide loads the settings that the guide to access shows.
func TestAccessGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(guide), "```yaml\n")[1:]
	for _, block := range blocks {
		file, _, _ := strings.Cut(block, "```")
		if _, err := settings.Load(settings.Input{File: []byte(file), ReadFile: func(string) ([]byte, error) { return []byte("a secret"), nil }}); err != nil {
			t.Errorf("%s\nis refused: %v", file, err)
		}
	}
	if len(blocks) != 2 {
		t.Errorf("the guide has %d blocks", len(blocks))
	}
}
