package settings_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/settings"
)

var update = flag.Bool("update", false, "write the tables of docs/configuration.md again")

const (
	reference  = "../../docs/configuration.md"
	beginTable = "<!-- settings: written by go test ./internal/settings -update -->\n"
	endTable   = "<!-- end of settings -->\n"
)

// TestReference keeps the tables of the configuration guide true.
func TestReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), beginTable)
	old, after, ok2 := strings.Cut(rest, endTable)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks of its tables", reference)
	}
	want := tables()
	if *update {
		if err := os.WriteFile(reference, []byte(before+beginTable+want+endTable+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s is out of date: go test ./internal/settings -run TestReference -update", reference)
	}
}

func tables() string {
	var b strings.Builder
	b.WriteString("\n| key | flag | variable | default | what it is |\n|---|---|---|---|---|\n")
	for _, f := range settings.Fields() {
		key := code(f.Key)
		if strings.HasPrefix(f.Key, "source_") {
			key = "(an entry of `sources`)"
		}
		fmt.Fprintf(&b, "| %s | `--%s` | `%s` | %s | %s |\n", key, f.Flag, f.Env, code(f.Default), f.Help)
	}
	for _, list := range []struct {
		key    string
		fields []settings.Field
	}{
		{"An entry of `sources`", settings.SourceFields()},
		{"An entry of `traffic_hooks`", settings.TrafficHookFields()},
		{"An entry of `gates`", settings.GateFields()},
		{"An entry of `notifications.targets`", settings.NotificationTargetFields()},
		{"An entry of `notifications.routes`", settings.NotificationRouteFields()},
		{"An entry of `secrets.allow`", settings.SecretRuleFields()},
		{"The keys of `secrets.vault`", settings.VaultFields()},
		{"The keys of `secrets.kubernetes`", settings.KubernetesFields()},
		{"The keys of `snapshots`", settings.SnapshotFields()},
	} {
		fmt.Fprintf(&b, "\n%s:\n\n| key | default | what it is |\n|---|---|---|\n", list.key)
		for _, f := range list.fields {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", code(f.Key), code(f.Default), f.Help)
		}
	}
	b.WriteString("\n" + dotNetTable() + "\n")
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
