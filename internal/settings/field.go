package settings

import (
	"reflect"
	"strings"
	"time"
)

// Field is one setting as the file, the environment and the command line name it.
type Field struct {
	Key     string // of sluice.yaml: database_url
	Flag    string // database-url
	Env     string // SLUICE_DATABASE_URL
	Default string
	Help    string
	Kind    string // string, bool, integer, number, duration, age, size, list; map and entries, which only the file has
	Secret  bool   // Key + "_file" names a file that holds it
	index   []int
	inFile  bool // false: of a single source given by flag
}

// Fields lists the settings that have a flag and a variable, in the order of
// the reference page, the single source's last.
func Fields() []Field {
	var fields []Field
	for _, f := range fieldsOf(reflect.TypeFor[Settings]()) {
		if f.Kind == "entries" || f.Kind == "map" {
			continue
		}
		f.inFile = true
		fields = append(fields, f)
		if f.Secret {
			fields = append(fields, f.fileVariant())
		}
	}
	return append(fields, sourceFields()...)
}

// SourceFields lists the keys of one entry of sources, nested ones dotted.
func SourceFields() []Field { return entryFields[Source]() }

// TrafficHookFields lists the keys of one entry of traffic_hooks.
func TrafficHookFields() []Field { return entryFields[TrafficHook]() }

// GateFields lists the keys of one entry of gates.
func GateFields() []Field { return entryFields[Gate]() }

// NotificationTargetFields lists the keys of one entry of notifications.targets.
func NotificationTargetFields() []Field { return entryFields[NotificationTarget]() }

// NotificationRouteFields lists the keys of one entry of notifications.routes.
func NotificationRouteFields() []Field { return entryFields[NotificationRoute]() }

// SecretRuleFields lists the keys of one entry of secrets.allow.
func SecretRuleFields() []Field { return entryFields[SecretRule]() }

// VaultFields lists the keys of secrets.vault.
func VaultFields() []Field { return entryFields[Vault]() }

// KubernetesFields lists the keys of secrets.kubernetes.
func KubernetesFields() []Field { return entryFields[Kubernetes]() }

// SnapshotFields lists the keys of snapshots.
func SnapshotFields() []Field { return entryFields[Snapshots]() }

// entryFields lists the keys of one entry of a list, nested ones dotted.
func entryFields[T any]() []Field {
	var fields []Field
	for _, f := range fieldsOf(reflect.TypeFor[T]()) {
		if f.Kind != "map" {
			fields = append(fields, f)
			if f.Secret {
				fields = append(fields, f.fileVariant())
			}
			continue
		}
		nested := reflect.TypeFor[T]().FieldByIndex(f.index).Type
		for _, n := range fieldsOf(nested) {
			n.Key = f.Key + "." + n.Key
			fields = append(fields, n)
			if n.Secret {
				fields = append(fields, n.fileVariant())
			}
		}
	}
	return fields
}

// sourceFields are what a single source can be given by without a file.
func sourceFields() []Field {
	return []Field{
		named("source_url", "string", "", "watch this repository too, without a settings file"),
		named("source_id", "string", "", "id of the source at source_url; the last part of its URL when empty"),
		named("source_branch", "string", "main", "branch of source_url to follow"),
		named("source_path", "string", "", "folder of the profiles in source_url; empty is all of it"),
		named("source_poll_interval", "duration", "", "how often to look at source_url"),
		named("source_username", "string", "", "user to sign in to source_url with"),
		named("source_token_file", "string", "", "file with the token to sign in to source_url with"),
	}
}

func named(key, kind, def, help string) Field {
	return Field{
		Key: key, Flag: strings.ReplaceAll(key, "_", "-"), Env: "SLUICE_" + strings.ToUpper(key),
		Kind: kind, Default: def, Help: help,
	}
}

func (f Field) fileVariant() Field {
	v := named(f.Key+"_file", "string", "", "file that holds "+f.Key)
	v.inFile = f.inFile
	return v
}

// fieldsOf reads the tags of a struct.
func fieldsOf(t reflect.Type) []Field {
	fields := make([]Field, 0, t.NumField())
	for sf := range t.Fields() {
		f := named(sf.Tag.Get("key"), kindOf(sf.Type), sf.Tag.Get("default"), sf.Tag.Get("help"))
		f.Secret = sf.Type == reflect.TypeFor[Secret]()
		f.index = sf.Index
		fields = append(fields, f)
	}
	return fields
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Age]():
		return "age"
	case reflect.TypeFor[[]string]():
		return "list"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Struct:
		return "map"
	case reflect.Slice:
		return "entries"
	default:
		return "string"
	}
}
