package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func settingsOf(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	addSettings(flags)
	flags.String("other", "", "a flag that is no setting")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	s, err := loadSettings(flags, func(name string) string { return env[name] })
	return s.Listen + " " + s.LogLevel, err
}

func TestSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "our.yaml")
	if err := os.WriteFile(file, []byte("listen: :1\nlog_level: warn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule string
		env  map[string]string
		args []string
		want string
	}{
		{"without anything the defaults hold", nil, nil, ":5000 info"},
		{"--config names the file", nil, []string{"--config", file}, ":1 warn"},
		{"SLUICE_CONFIG names the file", map[string]string{"SLUICE_CONFIG": file}, nil, ":1 warn"},
		{"variables and flags lie over it", map[string]string{"SLUICE_CONFIG": file, "SLUICE_LOG_LEVEL": "error"}, []string{"--listen", ":3"}, ":3 error"},
		{"a flag that was not given is not its default", map[string]string{"SLUICE_LISTEN": ":2"}, []string{"--migrate=false"}, ":2 info"},
		{"a bool flag alone is true", nil, []string{"--allow-file-urls", "--source-url", "/srv/x"}, ":5000 info"},
	} {
		if got, err := settingsOf(t, tt.env, tt.args...); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.rule, got, err, tt.want)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("lisen: :1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"read settings: open " + dir + "/none.yaml":      {"--config", dir + "/none.yaml"},
		bad + `:1:1: unknown key "lisen"`:                {"--config", bad},
		`migrate: "perhaps" is not auto, true or false`:  {"--migrate=perhaps"},
		"sources[0].url: is on this machine; allow_file": {"--source-url", "/srv/x"},
	} {
		if _, err := settingsOf(t, nil, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

func TestSettingsHelp(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	addSettings(flags)
	help := flags.FlagUsages()
	for _, want := range []string{
		"--listen string", `(SLUICE_LISTEN) (default ":5000")`, "--poll-interval duration", "--max-config-size size", "--allow-file-urls", "--source-url string",
		"--admin-password-file string",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q:\n%s", want, help)
		}
	}
}
