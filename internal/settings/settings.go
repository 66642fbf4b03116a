package settings

import (
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/internal/redact"
)

// Settings is everything that the daemon can be told.
type Settings struct {
	Listen      string `key:"listen" default:":5000" help:"address that the API, the dashboard and the probes listen on"`
	ExternalURL string `key:"external_url" help:"URL under which people reach this server; commit statuses link to it"`
	DataDir     string `key:"data_dir" default:"./sluice-data" help:"folder of the embedded database and the Git mirrors"`
	DatabaseURL Secret `key:"database_url" help:"database: a file path or sqlite:PATH; empty is sluice.db in data_dir"`
	Migrate     bool   `key:"migrate" default:"true" help:"bring the database schema up to date at start"`

	AllowFileURLs     bool `key:"allow_file_urls" default:"false" help:"allow sources on this machine: paths and file:// URLs"`
	AllowInsecureHTTP bool `key:"allow_insecure_http" default:"false" help:"allow sources over http://, where nothing is encrypted"`

	PollInterval    time.Duration `key:"poll_interval" default:"60s" help:"how often a source is looked at that does not say itself"`
	MinPollInterval time.Duration `key:"min_poll_interval" default:"1s" help:"shortest poll_interval that a source may ask for"`
	MaxPollInterval time.Duration `key:"max_poll_interval" default:"1h" help:"longest poll_interval that a source may ask for"`
	MaxConfigSize   Size          `key:"max_config_size" default:"1MiB" help:"largest profile file or version, at most 16MiB"`

	AdminPassword     Secret `key:"admin_password" help:"password of the first user, admin; empty makes one up and prints it once"`
	RegistrationToken Secret `key:"registration_token" help:"token with which instances register; empty makes one up in data_dir"`

	LogLevel        string        `key:"log_level" default:"info" help:"debug, info, warn or error"`
	LogFormat       string        `key:"log_format" default:"json" help:"json or text"`
	ShutdownTimeout time.Duration `key:"shutdown_timeout" default:"10s" help:"how long a stop waits for work that is under way"`
	TrustedProxies  []string      `key:"trusted_proxies" help:"networks (CIDR) whose X-Forwarded-For is believed"`
	RateLimitFactor float64       `key:"rate_limit_factor" default:"1" help:"multiplies every rate limit of the API; negative for none"`

	Sources []Source `key:"sources" help:"repositories to watch"`
}

// Source is one repository, branch and path to watch.
type Source struct {
	ID                    string        `key:"id" help:"short name; unique; derived from the URL when there is a single one given by flag"`
	URL                   string        `key:"url" help:"https://, ssh:// or user@host:path; never with a password in it"`
	Branch                string        `key:"branch" default:"main" help:"branch to follow"`
	Path                  string        `key:"path" help:"folder of the profiles; empty is the whole repository"`
	PollInterval          time.Duration `key:"poll_interval" help:"how often to look; empty is the daemon's poll_interval"`
	Forge                 Forge         `key:"forge" help:"where commit statuses go"`
	HoldPolicy            string        `key:"hold_policy" default:"newer-content" help:"what ends a hold: newer-content or release-only"`
	OpenRevertPullRequest bool          `key:"open_revert_pull_request" default:"false" help:"open a pull request that reverts a change that was rolled back; needs a forge that has them"`
	Auth                  Auth          `key:"auth" help:"how to sign in to the repository"`
}

// Forge is where a source's commit statuses live.
type Forge struct {
	Type string `key:"type" default:"local" help:"local keeps the statuses in Sluice itself"`
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

// LogValue shows the settings without their secrets.
func (s Settings) LogValue() slog.Value { return logValue(s) }

// LogValue shows the source without its secrets.
func (s Source) LogValue() slog.Value { return logValue(s) }
