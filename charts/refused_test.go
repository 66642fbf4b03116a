package charts

import (
	"strings"
	"testing"
)

// What cannot be right is refused, in words that name the value and the way out.
func TestRefusedValues(t *testing.T) {
	const database = "\nsecrets: {databaseUrl: {value: postgres://sluice@postgres/sluice}}"
	for _, c := range []struct{ name, values, want string }{
		{"no database", "{}", "secrets.databaseUrl: give value or existingSecret"},
		{"a database beside the embedded one", "mode: single" + database, "set mode to cluster"},
		{"watch replicas of the embedded one", "mode: single\nwatch: {enabled: true}", "watch.enabled: single is one daemon"},
		{"a setting of the watch replicas' own", "config: {role: watch}" + database, "'role'"},
		{"a secret twice", "secrets: {databaseUrl: {value: postgres://x, existingSecret: mine}}", "secrets.databaseUrl: value and existingSecret"},
		{"a file with neither", "mode: single\nsecrets: {files: [{name: a}]}", "secrets.files: a has neither value nor existingSecret"},
		{"a file with both", "mode: single\nsecrets: {files: [{name: a, value: b, existingSecret: c}]}", "secrets.files: a has value and existingSecret"},
		{"a file twice", "mode: single\nsecrets: {files: [{name: a, value: b}, {name: a, value: c}]}", "secrets.files: a is given twice"},
		{"a file over a setting's", "mode: single\nsecrets: {files: [{name: master_key, value: b}]}", "secrets.files: master_key is given twice"},
		{"a file elsewhere", "mode: single\nsecrets: {files: [{name: ../a, value: b}]}", "/secrets/files/0/name"},
		{"two lists of namespaces", "kubernetesSecrets: {namespaces: [a]}\nconfig: {secrets: {kubernetes: {namespaces: [b]}}}" + database,
			"config.secrets.kubernetes.namespaces: kubernetesSecrets.namespaces sets it"},

		{"an unknown value", "replicas: 3" + database, "'replicas'"},
		{"an unknown value further in", "ingress: {host: sluice.example.com}" + database, "'host'"},
		{"an unknown mode", "mode: ha" + database, "/mode"},
		{"no replica", "replicaCount: 0" + database, "/replicaCount"},
		{"a text for a number", "service: {port: http}" + database, "/service/port"},
		{"a port that is none", "service: {port: 70000}" + database, "/service/port"},
		{"an unknown type of service", "service: {type: Headless}" + database, "/service/type"},
		{"a tag in the repository", "image: {repository: 'sluice:1.0'}" + database, "/image/repository"},
		{"a digest that is none", "image: {digest: latest}" + database, "/image/digest"},
		{"more than all traces", "telemetry: {samplerRatio: 1.5}" + database, "/telemetry/samplerRatio"},
		{"a collector without a scheme", "telemetry: {endpoint: 'jaeger:4318'}" + database, "/telemetry/endpoint"},
		{"a spread that does not exist", "topologySpread: {zones: Always}" + database, "/topologySpread/zones"},
		{"a size that is none", "mode: single\npersistence: {size: 20 GB}", "/persistence/size"},
		{"a stop of an hour", "shutdown: {timeoutSeconds: 3600}" + database, "/shutdown/timeoutSeconds"},
		{"half a percent", "autoscaling: {targetCPUUtilizationPercentage: 0.5}" + database, "/autoscaling/targetCPUUtilizationPercentage"},

		{"a setting that does not exist", "config: {poll_intervall: 5m}" + database, "'poll_intervall'"},
		{"a setting that does not exist, further in", "config: {sources: [{id: a, url: b, brunch: main}]}" + database, "'brunch'"},
		{"a setting of the chart's own", "config: {listen: ':80'}" + database, "'listen'"},
		{"a secret in the open", "config: {master_key: 'k1:abc'}" + database, "'master_key'"},
		{"a secret in the open, further in", "config: {sources: [{id: a, url: b, auth: {token: c}}]}" + database, "'token'"},
		{"a password in a URL", "config: {prometheus_url: 'https://user:pw@prometheus'}" + database, "/config/prometheus_url"},
		{"a list for a text", "config: {external_url: [a]}" + database, "/config/external_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := render(loadChart(t), parseValues(t, c.values), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q is in no error: %v", c.want, err)
			}
		})
	}
}
