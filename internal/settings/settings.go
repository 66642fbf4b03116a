package settings

import (
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/internal/redact"
)

// Settings is everything that the daemon can be told.
type Settings struct {
	Listen      string `key:"listen" default:":5000" help:"address that the API, the dashboard and the probes listen on"`
	Role        string `key:"role" default:"all" help:"what this process does: all; or watch, which serves instances alone and leaves the rest to replicas of the role all (needs PostgreSQL)"`
	PprofListen string `key:"pprof_listen" help:"loopback address that profiles of this process are served on, such as 127.0.0.1:6060; empty is none"`
	ExternalURL string `key:"external_url" help:"URL under which people reach this server; commit statuses link to it"`
	DataDir     string `key:"data_dir" default:"./sluice-data" help:"folder of the embedded database and the Git mirrors"`
	DatabaseURL Secret `key:"database_url" help:"database: postgres://USER:PASSWORD@HOST/DATABASE, or a file path or sqlite:PATH; empty is sluice.db in data_dir"`
	Migrate     string `key:"migrate" default:"auto" help:"bring the database schema up to date at start: true, false, or auto, which does so for the embedded database only"`

	DatabaseConnections int `key:"database_connections" default:"16" help:"most connections to PostgreSQL, beside 8 that are reserved for rollouts and for orders"`

	RedisURL    Secret `key:"redis_url" help:"Redis that replicas share, redis:// or rediss://; empty is none"`
	RedisCAFile string `key:"redis_ca_file" help:"certificates that sign the one of redis_url; empty is the system's"`

	AllowFileURLs     bool `key:"allow_file_urls" default:"false" help:"allow sources on this machine: paths and file:// URLs"`
	AllowInsecureHTTP bool `key:"allow_insecure_http" default:"false" help:"allow sources over http://, where nothing is encrypted"`

	PollInterval    time.Duration `key:"poll_interval" default:"60s" help:"how often a source is looked at that does not say itself"`
	MinPollInterval time.Duration `key:"min_poll_interval" default:"1s" help:"shortest poll_interval that a source may ask for"`
	MaxPollInterval time.Duration `key:"max_poll_interval" default:"1h" help:"longest poll_interval that a source may ask for"`
	MaxConfigSize   Size          `key:"max_config_size" default:"1MiB" help:"largest profile file or version, at most 16MiB"`

	MaxWebhookSize Size `key:"max_webhook_size" default:"5MiB" help:"largest webhook that is read, at most 25MiB; what a larger one tells of is found by polling"`

	AdminPassword     Secret `key:"admin_password" help:"password of the first user, admin; empty makes one up and prints it once"`
	RegistrationToken Secret `key:"registration_token" help:"token with which instances register; empty makes one up in data_dir"`

	SessionKeys     Secret        `key:"session_keys" help:"keys that sign the sessions of people, one a line: secrets of 32 bytes at least, or RSA private keys in PEM; the first signs, all verify; empty makes one up in the database"`
	SessionLifetime time.Duration `key:"session_lifetime" default:"12h" help:"how long people stay signed in: 5m to 720h"`

	TLSCertFile string `key:"tls_cert_file" help:"certificate, and those between it and its root, to serve https with; read again when it changes"`
	TLSKeyFile  string `key:"tls_key_file" help:"private key of tls_cert_file"`

	OIDCIssuer       string   `key:"oidc_issuer" help:"URL of the identity provider that people sign in with (OpenID Connect); empty is none"`
	OIDCClientID     string   `key:"oidc_client_id" help:"what oidc_issuer knows this server as"`
	OIDCClientSecret Secret   `key:"oidc_client_secret" help:"secret of oidc_client_id; empty for a public client"`
	OIDCScopes       []string `key:"oidc_scopes" default:"profile,email" help:"scopes to ask for, beside openid"`
	OIDCRolesClaim   string   `key:"oidc_roles_claim" default:"groups" help:"claim of the ID token that oidc_roles maps; dots lead into objects: realm_access.roles"`
	OIDCRoles        []string `key:"oidc_roles" help:"VALUE=ROLE pairs: who has VALUE in oidc_roles_claim gets ROLE, the most powerful of several; who has none may not sign in"`
	OIDCName         string   `key:"oidc_name" default:"single sign-on" help:"what the button on the page to sign in calls the provider"`

	LogLevel         string        `key:"log_level" default:"info" help:"debug, info, warn or error"`
	LogFormat        string        `key:"log_format" default:"json" help:"json or text"`
	ShutdownTimeout  time.Duration `key:"shutdown_timeout" default:"10s" help:"how long a stop waits for work that is under way"`
	ShutdownDelay    time.Duration `key:"shutdown_delay" default:"0s" help:"how long a stop goes on serving after /readyz says so; longer than load balancers take to notice"`
	TrustedProxies   []string      `key:"trusted_proxies" help:"networks (CIDR) whose X-Forwarded-For is believed"`
	RateLimits       []string      `key:"rate_limits" help:"OPERATION=NUMBER pairs: how often a minute one caller may use an operation, in place of its own limit: POST /configs=10"`
	Clients          []string      `key:"clients" help:"protocols of other configuration servers that clients may read by, such as consul and spring; empty is none, docs/clients.md has them"`
	ApolloAccessKeys Secret        `key:"apollo_access_keys" help:"tokens of Sluice that clients of Apollo may sign their requests with as access keys, one a line or separated by commas; docs/clients.md says why they are given here"`
	RateLimitFactor  float64       `key:"rate_limit_factor" default:"1" help:"multiplies every rate limit of the API; negative for none"`

	RetentionVersions int `key:"retention_versions" default:"100" help:"newest versions and deployments of each profile that are kept"`
	RetentionAge      Age `key:"retention_age" default:"90d" help:"age up to which everything is kept: versions, deployments, statuses"`
	AuditRetention    Age `key:"audit_retention" default:"400d" help:"age up to which the audit log is kept"`

	PrometheusURL     Secret        `key:"prometheus_url" help:"Prometheus that the gate asks: https://HOST, or https://USER:PASSWORD@HOST; empty is none"`
	PrometheusToken   Secret        `key:"prometheus_token" help:"bearer token for prometheus_url"`
	PrometheusTimeout time.Duration `key:"prometheus_timeout" default:"3s" help:"how long one query may take, at most 4s"`
	ProbeNetworks     []string      `key:"probe_networks" default:"10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" help:"networks (CIDR) whose instances may be probed; this machine only when named itself: 127.0.0.0/8"`

	MasterKey       Secret `key:"master_key" help:"keys that seal secrets given by API, ID:BASE64 of 32 random bytes each and commas between: the first seals, all open; sluice secrets key makes one"`
	SopsAgeKeys     Secret `key:"sops_age_keys" help:"age identities that open values which sops encrypted in Git, one a line"`
	SecretEnvPrefix string `key:"secret_env_prefix" default:"SLUICE_SECRET_" help:"how the variables begin that env: references may name"`

	Secrets       Secrets       `key:"secrets" help:"which secrets profiles may refer to, and who keeps them"`
	Sources       []Source      `key:"sources" help:"repositories to watch"`
	TrafficHooks  []TrafficHook `key:"traffic_hooks" help:"load balancers that are told which group of a BlueGreen profile requests go to"`
	Notifications Notifications `key:"notifications" help:"who is told of deployments and holds"`
	Snapshots     Snapshots     `key:"snapshots" help:"where signed copies of stable versions are kept, for instances that start while no daemon answers"`
	Gates         []Gate        `key:"gates" help:"webhooks that say whether a deployment may go on"`
}

// What a process of the daemon does: settings' role.
const (
	RoleAll   = "all"   // everything
	RoleWatch = "watch" // the doors of instances, and nothing that decides
)

// Source is one repository, branch and path to watch.
type Source struct {
	ID                    string        `key:"id" help:"short name; unique; derived from the URL when there is a single one given by flag"`
	URL                   string        `key:"url" help:"https://, ssh:// or user@host:path; never with a password in it"`
	Branch                string        `key:"branch" default:"main" help:"branch to follow"`
	Path                  string        `key:"path" help:"folder of the profiles; empty is the whole repository"`
	PollInterval          time.Duration `key:"poll_interval" help:"how often to look; empty is the daemon's poll_interval"`
	Forge                 Forge         `key:"forge" help:"where pull requests, webhooks and commit statuses live"`
	HoldPolicy            string        `key:"hold_policy" default:"newer-content" help:"what ends a hold: newer-content or release-only"`
	OpenRevertPullRequest bool          `key:"open_revert_pull_request" default:"false" help:"open a pull request that reverts a change that was rolled back; needs a forge that has them"`
	Auth                  Auth          `key:"auth" help:"how to sign in to the repository"`
	RequireSignedCommits  bool          `key:"require_signed_commits" default:"false" help:"sync nothing that brings a commit which no known key signed for its committer"`
	SigningKeysFile       string        `key:"signing_keys_file" help:"armored GPG public keys whose signatures count; read at every check"`
	AllowedSignersFile    string        `key:"allowed_signers_file" help:"SSH keys whose signatures count, in ssh-keygen's allowed signers format; read at every check"`
	SignedFrom            string        `key:"signed_from" help:"full id of the commit after which commits must be signed; empty is the one that is synced, and at the first sync the head alone is checked"`
}

// Auth signs in to a repository: a token over https, or a key over ssh.
type Auth struct {
	Username       string `key:"username" default:"" help:"user of an https URL; most forges take any with a token"`
	Token          Secret `key:"token" help:"token or password of an https URL"`
	SSHKeyFile     string `key:"ssh_key_file" help:"private key of an ssh URL"`
	KnownHostsFile string `key:"known_hosts_file" help:"known_hosts file with the server's key; needed for ssh"`
}

// Secret is a value that is never shown: String, logs and JSON give "***".
type Secret string

// Reveal gives the value to the code that needs it.
func (s Secret) Reveal() string { return string(s) }

// String hides the value; an empty secret is seen to be empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redact.Mask
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Size is a number of bytes.
type Size int64

// String writes the size with the largest unit that divides it.
func (s Size) String() string { return formatSize(s) }

// Age is how long something is kept: days, or hours where they are no whole days.
type Age time.Duration

// String writes the age in days where they are whole.
func (a Age) String() string { return formatAge(a) }

// LogValue shows the settings without their secrets.
func (s Settings) LogValue() slog.Value { return logValue(s) }

// LogValue shows the source without its secrets.
func (s Source) LogValue() slog.Value { return logValue(s) }
