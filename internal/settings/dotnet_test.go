package settings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

// dotNetName is a variable of the .NET edition, and what says the same here: keys
// of settings, and standard variables of OpenTelemetry.
type dotNetName struct {
	name  string
	ours  []string
	about string
}

var dotNetNames = []dotNetName{
	{"ASPNETCORE_URLS", []string{"listen", "tls_cert_file", "tls_key_file"}, "one address: `http://+:5000` is `:5000`, and it speaks https where there is a certificate"},
	{"ASPNETCORE_ENVIRONMENT", nil, "nothing: each profile says which environment it is for, and the daemon is the same in all of them"},
	{"ConnectionStrings__Redis", []string{"redis_url"}, "`redis:6379,password=X` is `redis://:X@redis:6379`"},
	{"ConnectionStrings__PostgreSQL", []string{"database_url"}, "`Host=H;Database=D;Username=U;Password=P` is `postgres://U:P@H/D`"},
	{"ConfigManager__MaxConfigSize", []string{"max_config_size"}, "the same number of bytes, or `1MiB`"},
	{"ConfigManager__DefaultStrategy", nil, "nothing: `strategy.type` of a profile, and without it Direct in Development, Rolling in Staging, Canary in Production. " +
		"A file means the same to `sluice validate`, to the check of its pull request and to every daemon"},
	{"ConfigManager__DefaultPhaseInterval", nil, "nothing, for the same reason: `strategy.phaseInterval` of a profile, 5 minutes without it"},
	{"OpenTelemetry__JaegerEndpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}, "Jaeger 1.35 and newer take OTLP at port 4318: `http://jaeger:4318`"},
	{"OpenTelemetry__SamplingRate", []string{"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}, "`0.1` is `parentbased_traceidratio` and `0.1`"},
	{"Logging__LogLevel__Default", []string{"log_level"}, "Trace and Debug are `debug`, Information `info`, Warning `warn`, Error and Critical `error`"},
	{"JWT__Secret", []string{"session_keys"}, "32 bytes or more; several, so that they can be changed ([keys.md](keys.md))"},
	{"JWT__Issuer", []string{"external_url"}, "the server's own URL"},
	{"JWT__Audience", nil, "nothing: a session is good for this API alone"},
	{"JWT__ExpirationMinutes", []string{"session_lifetime"}, "`60` is `60m`"},
	{"RateLimiting__CreateConfig", []string{"rate_limits"}, "`POST /configs=10`"},
	{"RateLimiting__Deploy", []string{"rate_limits"}, "`POST /deployments=20`"},
	{"RateLimiting__Heartbeat", []string{"rate_limits"}, "`POST /instances/{id}/heartbeat=120`"},
}

// standardVariables are those of OpenTelemetry that the table names.
var standardVariables = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}

// ourNames says where a key can be given.
func ourNames(key string) (setting, variable string, ok bool) {
	if slices.Contains(standardVariables, key) {
		return "", key, true
	}
	for _, f := range settings.Fields() {
		if f.Key == key {
			return f.Key, f.Env, true
		}
	}
	return "", "", false
}

func dotNetTable() string {
	var b strings.Builder
	b.WriteString("## Coming from the .NET edition\n\nWhat its variables are here. A key of `appsettings.json` is the variable with `:` for `__`.\n\n" +
		"| its variable | key | variable | how |\n|---|---|---|---|\n")
	for _, n := range dotNetNames {
		var keys, variables []string
		for _, key := range n.ours {
			setting, variable, _ := ourNames(key)
			if setting != "" {
				keys = append(keys, code(setting))
			}
			variables = append(variables, code(variable))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(n.name), strings.Join(keys, ", "), strings.Join(variables, ", "), n.about)
	}
	return b.String()
}

// Whoever follows the table finds a setting there, and one that takes its example.
func TestDotNetNames(t *testing.T) {
	t.Parallel()
	for _, n := range dotNetNames {
		for _, key := range n.ours {
			if _, _, ok := ourNames(key); !ok {
				t.Errorf("%s: there is no setting %s", n.name, key)
			}
		}
		if len(n.ours) == 0 && !strings.HasPrefix(n.about, "nothing") {
			t.Errorf("%s: says not why nothing is like it", n.name)
		}
	}
	s, err := settings.Load(settings.Input{Env: func(name string) string {
		return map[string]string{
			"SLUICE_LISTEN": ":5000", "SLUICE_REDIS_URL": "redis://:X@redis:6379", "SLUICE_DATABASE_URL": "postgres://U:P@H/D",
			"SLUICE_MAX_CONFIG_SIZE": "1048576", "SLUICE_SESSION_LIFETIME": "60m",
			"SLUICE_RATE_LIMITS": "POST /configs=10,POST /deployments=20,POST /instances/{id}/heartbeat=120",
		}[name]
	}})
	if err != nil || s.MaxConfigSize != 1<<20 || s.SessionLifetime.Minutes() != 60 {
		t.Errorf("the examples are read as %+v, %v", s, err)
	}
}
