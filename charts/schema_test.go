package charts

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

const schemaFile = "sluice/values.schema.json"

// What values.config may hold is what the daemon's settings are, so that a typo
// is found before anything is installed.
func TestSchemaKnowsTheSettings(t *testing.T) {
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	schema["properties"].(map[string]any)["config"] = configSchema()
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(raw, want.Bytes()) {
		t.Errorf("%s is out of date: go test . -run TestSchemaKnows -update", schemaFile)
	}
}

// The schema has the values of values.yaml, and no others.
func TestSchemaKnowsTheValues(t *testing.T) {
	raw, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	sameKeys(t, "values", schema, loadChart(t).Values)
}

// sameKeys compares the properties of an object in the schema with its keys in
// values.yaml, and so on further in where both go on.
func sameKeys(t *testing.T, at string, schema, values map[string]any) {
	t.Helper()
	properties, ok := schema["properties"].(map[string]any)
	if !ok || at == "values.config" {
		return
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes anything", at)
	}
	delete(properties, "global") // Helm gives it to every chart
	in, have := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(values))
	if !slices.Equal(in, have) {
		t.Errorf("%s: the schema has %v, values.yaml %v", at, in, have)
	}
	for key, value := range values {
		property, _ := properties[key].(map[string]any)
		if ref, ok := property["$ref"].(string); ok && ref != "" {
			continue // a type of Kubernetes, or one that is looked at where it is used first
		}
		if further, ok := value.(map[string]any); ok {
			sameKeys(t, at+"."+key, property, further)
		}
	}
}

// ofTheChart are settings that the chart makes from other values.
var ofTheChart = []string{
	"listen", "data_dir", "migrate", "role", "shutdown_delay", "shutdown_timeout", "tls_cert_file", "tls_key_file",
	"database_url_file", "redis_url_file", "master_key_file", "session_keys_file", "registration_token_file", "admin_password_file",
}

func configSchema() map[string]any {
	config := closedObject()
	for _, f := range settings.Fields() {
		if !strings.HasPrefix(f.Key, "source_") && !slices.Contains(ofTheChart, f.Key) {
			put(config, f)
		}
	}
	secrets, notifications := closedObject(), closedObject()
	nest(secrets, "allow", entries(settings.SecretRuleFields()))
	nest(secrets, "vault", object(settings.VaultFields()))
	nest(secrets, "kubernetes", object(settings.KubernetesFields()))
	nest(notifications, "targets", entries(settings.NotificationTargetFields()))
	nest(notifications, "routes", entries(settings.NotificationRouteFields()))
	nest(config, "secrets", secrets)
	nest(config, "notifications", notifications)
	nest(config, "sources", entries(settings.SourceFields()))
	nest(config, "traffic_hooks", entries(settings.TrafficHookFields()))
	nest(config, "gates", entries(settings.GateFields()))
	config["description"] = "sluice.yaml, but for what the chart sets itself. Secrets are named by their *_file keys: a ConfigMap hides nothing."
	return config
}

func closedObject() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
}

func nest(object map[string]any, key string, schema map[string]any) {
	object["properties"].(map[string]any)[key] = schema
}

func object(fields []settings.Field) map[string]any {
	o := closedObject()
	for _, f := range fields {
		put(o, f)
	}
	return o
}

func entries(fields []settings.Field) map[string]any {
	return map[string]any{"type": "array", "items": object(fields)}
}

// put adds a setting to the object that it is in: forge.type to forge.
func put(o map[string]any, f settings.Field) {
	if outer, inner, nested := strings.Cut(f.Key, "."); nested {
		properties := o["properties"].(map[string]any)
		if properties[outer] == nil {
			properties[outer] = closedObject()
		}
		f.Key = inner
		put(properties[outer].(map[string]any), f)
		return
	}
	value := map[string]any{"description": f.Help}
	switch f.Kind {
	case "bool":
		value["type"] = "boolean"
	case "integer", "number":
		value["type"] = f.Kind
	case "list":
		value["type"], value["items"] = "array", map[string]any{"type": "string"}
	case "size":
		value["type"] = []string{"string", "integer"}
	default:
		value["type"] = "string"
	}
	if f.Secret {
		if !strings.HasSuffix(f.Key, "url") || f.Key == "database_url" || f.Key == "redis_url" {
			return
		}
		value["pattern"] = "^[^@]*$" // no user and password
	}
	nest(o, f.Key, value)
}
