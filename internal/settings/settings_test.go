package settings_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/settings"
)

const canary = "CANARY-0123456789"

// input is an Input over maps.
func input(file string, env, flags, files map[string]string) settings.Input {
	return settings.Input{
		File: []byte(file), FileName: "sluice.yaml", Flags: flags,
		Env: func(name string) string { return env[name] },
		ReadFile: func(name string) ([]byte, error) {
			content, ok := files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(content), nil
		},
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(settings.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":5000" || s.DataDir != "./sluice-data" || s.Migrate != "auto" || s.AllowFileURLs || s.MaxConfigSize != 1<<20 ||
		s.PollInterval != time.Minute || s.LogFormat != "json" || s.ShutdownTimeout != 10*time.Second {
		t.Errorf("defaults are %+v", s)
	}
	if got := s.DatabaseURL.Reveal(); got != "sqlite:sluice-data/sluice.db" {
		t.Errorf("database is %q", got)
	}
	if len(s.Sources) != 0 {
		t.Errorf("sources are %v", s.Sources)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := "listen: :1\nlog_level: warn\nlog_format: text\nadmin_password: from-the-file\n"
	env := map[string]string{"SLUICE_LISTEN": ":2", "SLUICE_LOG_LEVEL": "error", "SLUICE_ADMIN_PASSWORD": "from-the-env"}
	flags := map[string]string{"listen": ":3", "admin-password-file": "/pw"}
	s, err := settings.Load(input(file, env, flags, map[string]string{"/pw": "from-a-file-named-by-flag\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":3" {
		t.Errorf("a flag does not win over a variable: %q", s.Listen)
	}
	if s.LogLevel != "error" {
		t.Errorf("a variable does not win over the file: %q", s.LogLevel)
	}
	if s.LogFormat != "text" {
		t.Errorf("the file does not win over the default: %q", s.LogFormat)
	}
	if got := s.AdminPassword.Reveal(); got != "from-a-file-named-by-flag" {
		t.Errorf("password is %q", got)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input(`
listen: 127.0.0.1:8080
external_url: https://sluice.example.com
data_dir: /var/lib/sluice
database_url: /var/lib/sluice/main.db
migrate: false
max_config_size: 512KiB
shutdown_timeout: PT20S
trusted_proxies: [10.0.0.0/8, "fd00::/8"]
allow_file_urls: yes-not-a-bool
`, nil, nil, nil))
	if err == nil || !strings.Contains(err.Error(), `sluice.yaml:10:18: allow_file_urls: "yes-not-a-bool" is not true or false`) {
		t.Fatalf("error is %v of %+v", err, s)
	}
	s, err = settings.Load(input(`
data_dir: /var/lib/sluice
max_config_size: 512KiB
shutdown_timeout: PT20S
trusted_proxies: [10.0.0.0/8, "fd00::/8"]
poll_interval: 30s
log_level:
prometheus_url_file: /run/token
gates: [{name: smoke-tests, url_file: /run/token, secret: 0123456789012345678901234567890123}]
allow_insecure_http: true
sources:
  - id: configs
    url: https://git.example.com/acme/configs.git
    path: profiles/
    forge: {type: local}
    auth: {username: bot, token_file: /run/token}
    hold_policy: release-only
  - {id: more, url: "git@git.example.com:acme/more.git", branch: live, poll_interval: 5m}
`, nil, nil, map[string]string{"/run/token": "http://" + canary}))
	if err != nil {
		t.Fatal(err)
	}
	if s.PrometheusURL.Reveal() != "http://"+canary || len(s.Gates) != 1 || s.Gates[0].Name != "smoke-tests" || s.Gates[0].URL.Reveal() != "http://"+canary {
		t.Errorf("who is asked: %v %+v", s.PrometheusURL.Reveal(), s.Gates)
	}
	if shown := s.LogValue().String(); strings.Contains(shown, canary) || strings.Contains(shown, "0123456789") || !strings.Contains(shown, "smoke-tests") {
		t.Errorf("it is shown as %s", shown)
	}
	if s.MaxConfigSize != 512<<10 || s.ShutdownTimeout != 20*time.Second || len(s.TrustedProxies) != 2 {
		t.Errorf("settings are %+v", s)
	}
	if s.LogLevel != "info" {
		t.Errorf("an empty key is not the default: %q", s.LogLevel)
	}
	first, second := s.Sources[0], s.Sources[1]
	if first.Branch != "main" || first.Path != "profiles/" || first.HoldPolicy != "release-only" ||
		first.Auth.Token.Reveal() != "http://"+canary || first.Auth.Username != "bot" || first.PollInterval != 30*time.Second {
		t.Errorf("first source is %+v", first)
	}
	if second.Branch != "live" || second.PollInterval != 5*time.Minute || second.Forge.Type != "local" || second.HoldPolicy != "newer-content" {
		t.Errorf("second source is %+v", second)
	}
}

func TestSingleSource(t *testing.T) {
	t.Parallel()
	const file = "sources:\n  - {id: configs, url: 'https://git.example.com/old.git'}\n  - {id: other, url: 'https://git.example.com/other.git'}\n"
	tests := []struct {
		rule  string
		file  string
		env   map[string]string
		flags map[string]string
		want  string // id=url@branch:path of each
	}{
		{
			"a source by flags needs no file", "", nil,
			map[string]string{"source-url": "https://git.example.com/acme/Configs.git"},
			"configs=https://git.example.com/acme/Configs.git@main:",
		},
		{
			"flags win over variables, field by field", "",
			map[string]string{"SLUICE_SOURCE_URL": "https://git.example.com/a.git", "SLUICE_SOURCE_BRANCH": "live", "SLUICE_SOURCE_ID": "x"},
			map[string]string{"source-branch": "next", "source-path": "profiles"},
			"x=https://git.example.com/a.git@next:profiles",
		},
		{
			"the file's sources stay watched", file, nil,
			map[string]string{"source-url": "https://git.example.com/third.git"},
			"configs=https://git.example.com/old.git@main: other=https://git.example.com/other.git@main: third=https://git.example.com/third.git@main:",
		},
		{
			"a source of the same id is replaced", file, nil,
			map[string]string{"source-url": "https://git.example.com/new.git", "source-id": "configs"},
			"configs=https://git.example.com/new.git@main: other=https://git.example.com/other.git@main:",
		},
		{
			"a scp-like URL gives an id too", "", nil,
			map[string]string{"source-url": "git@git.example.com:configs.git"},
			"configs=git@git.example.com:configs.git@main:",
		},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s, err := settings.Load(input(tt.file, tt.env, tt.flags, nil))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, source := range s.Sources {
				got = append(got, fmt.Sprintf("%s=%s@%s:%s", source.ID, source.URL, source.Branch, source.Path))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func TestSourceTokenByFlag(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input("", nil, map[string]string{
		"source-url": "/srv/configs", "allow-file-urls": "true", "source-token-file": "/t", "source-username": "bot", "source-poll-interval": "5s",
	}, map[string]string{"/t": canary + "\r\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Sources[0].Auth; a.Token.Reveal() != canary || a.Username != "bot" || s.Sources[0].PollInterval != 5*time.Second {
		t.Errorf("source is %+v", s.Sources[0])
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	source := func(rest string) string { return "sources:\n  - {id: a, " + rest + "}\n" }
	tests := []struct {
		file  string
		env   map[string]string
		flags map[string]string
		want  string
	}{
		{file: "lisen: :1", want: `sluice.yaml:1:1: unknown key "lisen", did you mean listen?`},
		{file: "listen: :1\nentirely-else: 2", want: `sluice.yaml:2:1: unknown key "entirely-else"`},
		{file: "admin_passwrd_file: x", want: "did you mean admin_password_file?"},
		{file: "listen: :1\nlisten: :2", want: "sluice.yaml:2:1: listen is given twice"},
		{file: "listen: [a]", want: "sluice.yaml:1:9: listen must be a single value"},
		{file: "listen: &a :1\nexternal_url: *a", want: "external_url: aliases are not supported"},
		{file: "[a]", want: "sluice.yaml:1:1: the file must be a mapping"},
		{file: "listen: :1\n---\nlisten: :2", want: "sluice.yaml: more than one document"},
		{file: "listen: 'x", want: "sluice.yaml: found unexpected end of stream"},
		{file: "trusted_proxies: 10.0.0.0/8", want: "trusted_proxies must be a list"},
		{file: "trusted_proxies: [{a: b}]", want: "trusted_proxies must be a list of texts"},
		{file: "sources: {}", want: "sources must be a list"},
		{file: "sources: [a]", want: "sluice.yaml:1:11: sources[0] must be a mapping"},
		{file: "sources:\n  - {id: a, url: https://x/y.git, forge: {tpye: local}}", want: `unknown key "sources[0].forge.tpye", did you mean type?`},
		{file: "admin_password: password-one\nadmin_password_file: /pw", want: "admin_password and admin_password_file are both given"},
		{file: "admin_password_file: /missing", want: "sluice.yaml:1:22: admin_password_file: open /missing: file does not exist"},
		{file: "admin_password_file: /empty", want: "/empty is empty"},
		{file: "max_config_size: 1MB", want: `"1MB" is not a size`},
		{file: "poll_interval: soon", want: "sluice.yaml:1:16: poll_interval: not a duration"},

		{env: map[string]string{"SLUICE_MIGRATE": "maybe"}, want: `migrate: "maybe" is not auto, true or false`},
		{env: map[string]string{"SLUICE_ALLOW_FILE_URLS": "maybe"}, want: `SLUICE_ALLOW_FILE_URLS: "maybe" is not true or false`},
		{env: map[string]string{"SLUICE_DATABASE_CONNECTIONS": "many"}, want: `SLUICE_DATABASE_CONNECTIONS: "many" is not a whole number`},
		{env: map[string]string{"SLUICE_DATABASE_CONNECTIONS": "1"}, want: `database_connections: 1 is not between 2 and 1000`},
		{flags: map[string]string{"poll-interval": "1"}, want: "--poll-interval: not a duration"},
		{flags: map[string]string{"source-branch": "x"}, want: "--source-url is needed"},

		{file: "listen: nonsense", want: `listen: "nonsense" is not an address`},
		{file: "role: reader", want: `role: "reader" is not all or watch`},
		{file: "pprof_listen: :6060", want: `pprof_listen: ":6060" is not an address of this machine alone`},
		{file: "pprof_listen: 10.0.0.1:6060", want: `pprof_listen: "10.0.0.1:6060" is not`},
		{file: "pprof_listen: localhost:6060", want: `pprof_listen: "localhost:6060" is not`},
		{file: "external_url: ftp://x", want: "external_url: must be like"},
		{file: "external_url: https://tools.example.com/sluice", want: "external_url: must be like https://sluice.example.com, without user, path or query"},
		{flags: map[string]string{"data-dir": ""}, want: "data_dir: must not be empty"},
		{file: "min_poll_interval: 0s", want: "min_poll_interval: must be above zero"},
		{file: "min_poll_interval: 2h", want: "min_poll_interval: 2h0m0s is above max_poll_interval 1h0m0s"},
		{file: "poll_interval: 2h", want: "poll_interval: 2h0m0s is not between 1s and 1h0m0s"},
		{file: "max_config_size: 17MiB", want: "max_config_size: 17MiB is not between"},
		{file: "max_webhook_size: 26MiB", want: "max_webhook_size: 26MiB is not between 64KiB and 25MiB"},
		{file: "admin_password: short", want: "admin_password: has 5 characters, at least 12"},
		{file: "registration_token: short", want: "registration_token: has 5 characters, at least 32"},
		{file: "log_level: loud", want: `log_level: "loud" is not`},
		{file: "log_format: xml", want: `log_format: "xml" is not json or text`},
		{file: "retention_versions: 9", want: "retention_versions: 9 is below 10"},
		{file: "retention_age: 23h", want: "retention_age: 23h0m0s is below 1d"},
		{file: "retention_age: 100d\naudit_retention: 99d", want: "audit_retention: 99d is below retention_age 100d"},
		{file: "shutdown_timeout: 11m", want: "shutdown_timeout: 11m0s is not between"},
		{file: "trusted_proxies: [10.0.0.1]", want: `trusted_proxies: "10.0.0.1" is not a network`},

		{file: "prometheus_url: ftp://" + canary, want: "prometheus_url: must be like"},
		{file: "prometheus_url: 'https://u:" + canary + "@[x'", want: "prometheus_url: must be like"},
		{file: "prometheus_url: 'https://u:" + canary + "@x'\nprometheus_token: " + canary, want: "prometheus_token: is given, and prometheus_url has a user too"},
		{file: "prometheus_token: " + canary, want: "prometheus_token: is of no use without prometheus_url"},
		{file: "prometheus_timeout: 5s", want: "prometheus_timeout: 5s is not between 0 and 4s"},
		{file: "probe_networks: [10.0.0.1]", want: `probe_networks: "10.0.0.1" is not a network`},
		{file: "gates: [{name: a b, url: 'https://x/" + canary + "', secret: 0123456789012345678901234567890123}]", want: `gates[0].name: "a b" must be`},
		{file: "gates: [{name: a, url: 'ftp://x/" + canary + "'}]", want: "gates[0].url: must begin with https://"},
		{file: "gates: [{name: a, url: 'http://x/" + canary + "'}]", want: "gates[0].url: must begin with https://; http:// is not encrypted, allow_insecure_http allows it"},
		{file: "gates: [{name: a, url: 'https://x/'}]", want: "gates[0].secret: is a key of 0 bytes, at least 32 are needed"},
		{file: "gates: [{name: a, url: 'https://x/', secret: 'whsec_!" + canary + "'}]", want: "gates[0].secret: begins with whsec_ and is no base64"},
		{file: "gates: [{name: a}, {name: a}]", want: `gates[1].name: "a" is used twice`},
		{file: "gates: [{sekret: a}]", want: `unknown key "gates[0].sekret", did you mean secret?`},

		{file: source("url: ''"), want: "sources[0].url: must be like https://"},
		{file: source("url: 'https://" + canary + "@x/y.git'"), want: "sources[0].url: has a user or password in it"},
		{file: source("url: 'ssh://git:" + canary + "@x/y.git'"), want: "sources[0].url: has a user or password in it"},
		{file: source("url: 'https://x/y.git?token=" + canary + "'"), want: "sources[0].url: must not have a query"},
		{file: source("url: 'https://u:" + canary + "@[x'"), want: "sources[0].url: must be like"},
		{file: source("url: 'https:///y.git'"), want: "sources[0].url: has no host"},
		{file: source("url: http://x/y.git"), want: "allow_insecure_http allows it"},
		{file: source("url: file:///srv/x"), want: "allow_file_urls allows it"},
		{file: source("url: /srv/x"), want: "allow_file_urls allows it"},
		{file: source("url: git://x/y.git"), want: "git:// is not supported"},
		{file: source("url: 'ext::sh -c x'"), want: "ext:// is not supported"},
		{file: source("url: https://x/y.git, branch: --upload-pack=x"), want: "sources[0].branch"},
		{file: source("url: https://x/y.git, path: ../up"), want: "sources[0].path"},
		{file: source("url: https://x/y.git, path: /abs"), want: "sources[0].path"},
		{file: source("url: https://x/y.git, poll_interval: 2h"), want: "sources[0].poll_interval: 2h0m0s is not between"},
		{file: source("url: https://x/y.git, forge: {type: cvs}"), want: `sources[0].forge.type: "cvs" is not one of: local, github`},
		{file: source("url: https://x/y.git, hold_policy: never"), want: "sources[0].hold_policy"},
		{file: source("url: https://x/y.git, open_revert_pull_request: true"), want: "open_revert_pull_request: needs a forge"},
		{file: source("url: 'ssh://git@x/y.git', auth: {ssh_key_file: k}"), want: "auth.known_hosts_file: is needed"},
		{file: source("url: https://x/y.git, auth: {ssh_key_file: k, known_hosts_file: h, token: t}"), want: "auth: has a token and an ssh key"},
		{file: "sources:\n  - {id: Up Case, url: https://x/y.git}", want: "sources[0].id"},
		{file: "sources:\n  - {id: a, url: https://x/y.git}\n  - {id: a, url: https://x/z.git}", want: `sources[1].id: "a" is used twice`},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			_, err := settings.Load(input(tt.file, tt.env, tt.flags, map[string]string{"/empty": "\n", "/pw": "password-two"}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error leaks: %v", err)
			}
		})
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	t.Parallel()
	_, err := settings.Load(input("log_level: loud\nlog_format: xml\nlisten: x\n", nil, nil, nil))
	for _, field := range []string{"log_level", "log_format", "listen"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	s, err := settings.Load(input(`
admin_password: `+canary+`
registration_token: `+canary+canary+`
database_url: postgres://u:`+canary+`@db/x
sources: [{id: a, url: "ssh://git@x/y.git", auth: {token: `+canary+`}}]
`, nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "settings", s, "source", s.Sources[0])
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for how, text := range map[string]string{
		"slog": log.String(), "JSON": string(asJSON),
		"%v": fmt.Sprintf("%v", s), "%+v": fmt.Sprintf("%+v", s), "%#v": fmt.Sprintf("%#v", s),
	} {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows a secret: %s", how, text)
		}
	}
	for _, want := range []string{`"admin_password":"***"`, `"listen":":5000"`, `"max_config_size":"1MiB"`, `"url":"ssh://***@x/y.git"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}

func TestNoReaderOfFiles(t *testing.T) {
	t.Parallel()
	_, err := settings.Load(settings.Input{File: []byte("admin_password_file: /pw")})
	if err == nil || !strings.Contains(err.Error(), "cannot be read here") {
		t.Errorf("error is %v", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("it looked for the file")
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"1d": "1d", "48h": "2d", "36h": "36h0m0s", "36500d": "36500d"} {
		s, err := settings.Load(input("audit_retention: 36500d\nretention_age: "+text, nil, nil, nil))
		if got := s.RetentionAge.String(); err != nil || got != want {
			t.Errorf("%s is written %s, want %s; %v", text, got, want, err)
		}
	}
	for _, text := range []string{"d", "90 days", "-1d", "-3h", "1.5d", "36501d", "900000h", "90", "∞"} {
		if _, err := settings.Load(input("retention_age: "+text, nil, nil, nil)); err == nil || !strings.Contains(err.Error(), "is not an age") {
			t.Errorf("%s gave %v", text, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"1048576": "1MiB", "1025B": "1025B", "2 KiB": "2KiB", "16MiB": "16MiB"} {
		s, err := settings.Load(input("max_config_size: "+text, nil, nil, nil))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.MaxConfigSize.String(); got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
	if got := settings.Size(0).String(); got != "0B" {
		t.Errorf("nothing is written %s", got)
	}
}
