package settings

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// Secrets say which secrets profiles may refer to, and who keeps them.
type Secrets struct {
	Allow      []SecretRule `key:"allow" help:"which references profiles may use; none is allowed that no entry names"`
	Vault      Vault        `key:"vault" help:"HashiCorp Vault, or what speaks like it"`
	Kubernetes Kubernetes   `key:"kubernetes" help:"the secrets of a cluster"`
}

// SecretRule lets profiles use references.
type SecretRule struct {
	Profiles   string   `key:"profiles" help:"glob of profile names: payment-*"`
	References []string `key:"references" help:"globs of references; * is any run of characters but / and #, ** any at all, {profile} the profile's name: vault:secret/{profile}/**"`
}

// Vault is where vault: references lead.
type Vault struct {
	URL       Secret        `key:"url" help:"https://vault.example.com:8200; empty is none"`
	Namespace string        `key:"namespace" help:"namespace of an enterprise server"`
	Mounts    []string      `key:"mounts" default:"secret" help:"mounts of KV version 2 engines; a reference's path begins with one"`
	Token     Secret        `key:"token" help:"token to sign in with; it is renewed"`
	Role      string        `key:"role" help:"role to sign in with as a Kubernetes service account, in place of a token"`
	AuthMount string        `key:"auth_mount" default:"kubernetes" help:"mount of the Kubernetes sign-in"`
	JWTFile   string        `key:"jwt_file" default:"/var/run/secrets/kubernetes.io/serviceaccount/token" help:"token of the service account; read at every sign-in"`
	CAFile    string        `key:"ca_file" help:"certificates that sign the server's; empty is the system's"`
	Timeout   time.Duration `key:"timeout" default:"5s" help:"how long one answer may take, at most 20s"`
}

// Kubernetes is where k8s: references lead.
type Kubernetes struct {
	Namespaces []string      `key:"namespaces" help:"namespaces whose secrets may be read; empty is none"`
	URL        string        `key:"url" default:"https://kubernetes.default.svc" help:"the cluster's API"`
	TokenFile  string        `key:"token_file" default:"/var/run/secrets/kubernetes.io/serviceaccount/token" help:"token of the service account; read at every request"`
	CAFile     string        `key:"ca_file" default:"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" help:"certificates that sign the API's"`
	Timeout    time.Duration `key:"timeout" default:"5s" help:"how long one answer may take, at most 20s"`
}

// LogValue shows the settings of secrets, and none.
func (s Secrets) LogValue() slog.Value { return logValue(s) }

// secretEnvPrefix begins the variables that are for profiles.
const secretEnvPrefix = "SLUICE_SECRET_"

// longestFetch is what an instance that waits for its configuration leaves for one answer.
const longestFetch = 20 * time.Second

// checkSecrets checks what can be checked without reading a key.
func (s Settings) checkSecrets(check checker) {
	// Whatever begins so is for profiles: the daemon's own variables must not.
	own := strings.HasPrefix("SLUICE_", s.SecretEnvPrefix) ||
		strings.HasPrefix(s.SecretEnvPrefix, "SLUICE_") && !strings.HasPrefix(s.SecretEnvPrefix, secretEnvPrefix)
	check(!own, "secret_env_prefix", "%q would give the daemon's own settings away: begin with %s, or with another word", s.SecretEnvPrefix, secretEnvPrefix)
	in := within("secrets.", check)
	for i, rule := range s.Secrets.Allow {
		at := within(fmt.Sprintf("allow[%d].", i), in)
		at(rule.Profiles != "", "profiles", "is empty: name profiles, or * for all of them")
		at(len(rule.References) > 0, "references", "is empty: name references, such as vault:secret/{profile}/**")
		for _, ref := range rule.References {
			provider, rest := profile.Provider(ref)
			known := provider == "vault" || provider == "env" || provider == "k8s"
			at(known && rest != "", "references", "%q must begin with vault:, env: or k8s:", ref)
		}
	}
	s.Secrets.Vault.check(s.AllowInsecureHTTP, within("vault.", in))
	k := within("kubernetes.", in)
	u, err := url.Parse(s.Secrets.Kubernetes.URL)
	k(err == nil && u.Scheme == "https" && u.Host != "", "url", "must begin with https://")
	k(s.Secrets.Kubernetes.Timeout > 0 && s.Secrets.Kubernetes.Timeout <= longestFetch, "timeout", "%s is not between 0 and %s", s.Secrets.Kubernetes.Timeout, longestFetch)
}

// check never repeats the URL: somebody may have put a token into it.
func (v Vault) check(insecure bool, check checker) {
	if v.URL == "" {
		check(v.Token == "" && v.Role == "", "url", "is needed with token or role")
		return
	}
	u, err := url.Parse(v.URL.Reveal())
	check(err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && (u.Scheme == "https" || u.Scheme == "http" && insecure), "url",
		"must be like https://vault.example.com:8200, without a user; http:// is not encrypted, allow_insecure_http allows it")
	check((v.Token == "") != (v.Role == ""), "token", "or role must be given, and not both: how to sign in")
	check(len(v.Mounts) > 0, "mounts", "is empty: no reference leads anywhere")
	check(v.Timeout > 0 && v.Timeout <= longestFetch, "timeout", "%s is not between 0 and %s", v.Timeout, longestFetch)
}
