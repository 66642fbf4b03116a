package settings

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/session"
)

// checkSignIn checks how people sign in, and over what.
func (s Settings) checkSignIn(check checker) {
	if s.SessionKeys != "" {
		_, err := session.ParseKeys(s.SessionKeys.Reveal())
		check(err == nil, "session_keys", "%v", err)
	}
	check((s.TLSCertFile == "") == (s.TLSKeyFile == ""), "tls_key_file", "goes with tls_cert_file: give both or none")
	if s.OIDCIssuer == "" {
		check(s.OIDCClientID == "" && s.OIDCClientSecret == "" && len(s.OIDCRoles) == 0, "oidc_issuer", "is needed with the other oidc settings")
		return
	}
	u, err := url.Parse(s.OIDCIssuer)
	check(err == nil && (u.Scheme == "https" || u.Scheme == "http" && s.AllowInsecureHTTP) && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "",
		"oidc_issuer", "must be like https://idp.example.com; allow_insecure_http allows http://")
	check(s.OIDCClientID != "", "oidc_client_id", "is needed with oidc_issuer")
	check(s.ExternalURL != "", "external_url", "is needed with oidc_issuer: the provider sends people back there")
	check(s.OIDCRolesClaim != "", "oidc_roles_claim", "must not be empty")
	check(len(s.OIDCRoles) > 0, "oidc_roles", "is needed with oidc_issuer: without it nobody has a role")
	_, err = s.RolesOfClaims()
	check(err == nil, "oidc_roles", "%v", err)
}

// personRoles are the roles that a provider can give, the most powerful last.
var personRoles = []string{"Viewer", "Developer", "Operator", "Admin"}

// RolesOfClaims reads oidc_roles: the role of each value.
func (s Settings) RolesOfClaims() (map[string]string, error) {
	roles := make(map[string]string, len(s.OIDCRoles))
	for _, pair := range s.OIDCRoles {
		i := strings.LastIndex(pair, "=")
		if i <= 0 || !slices.Contains(personRoles, strings.TrimSpace(pair[i+1:])) {
			return nil, fmt.Errorf("%q is not VALUE=ROLE with one of the roles %s", pair, strings.Join(personRoles, ", "))
		}
		value := strings.TrimSpace(pair[:i])
		if _, twice := roles[value]; twice {
			return nil, fmt.Errorf("%q is given twice", value)
		}
		roles[value] = strings.TrimSpace(pair[i+1:])
	}
	return roles, nil
}
