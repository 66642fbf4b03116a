package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/agent"
	"github.com/sluicehq/sluice/internal/fakeserver"
	"github.com/spf13/pflag"
)

func TestAgentFlagsFromVariables(t *testing.T) {
	t.Parallel()
	parse := func(env map[string]string, args ...string) (agent.Options, error) {
		var o agent.Options
		f := pflag.NewFlagSet("agent", pflag.ContinueOnError)
		agentFlags(f, &o)
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		return o, agentFlagsFromEnv(f, func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	}
	env := map[string]string{
		"SLUICE_AGENT_SERVER": "http://env", "SLUICE_AGENT_LABEL": "a=1,b=2", "SLUICE_AGENT_PORT": "8080",
		"SLUICE_AGENT_BOOTSTRAP_KEY": "one,two", "SLUICE_AGENT_BOOTSTRAP_MAX_AGE": "48h",
		"SLUICE_AGENT_HEALTH_URL": "http://h/", "SLUICE_AGENT_CHECK_TIMEOUT": "3s", "SLUICE_AGENT_FILE": "",
	}
	o, err := parse(env, "--server", "http://flag", "--file", "f.json")
	if err != nil {
		t.Fatal(err)
	}
	if o.Session.Server != "http://flag" || o.File != "f.json" {
		t.Errorf("a flag must win: %s, %s", o.Session.Server, o.File)
	}
	if o.Session.Labels["b"] != "2" || o.Session.Port != 8080 || o.Probe.HealthURL != "http://h/" || o.CheckTimeout.String() != "3s" {
		t.Errorf("variables are not taken: %+v", o)
	}
	if b := o.Session.Bootstrap; len(b.Keys) != 2 || b.MaxAge.Hours() != 48 {
		t.Errorf("variables of snapshots are not taken: %+v", b)
	}
	_, err = parse(map[string]string{"SLUICE_AGENT_PORT": "hunter2"})
	if err == nil || !strings.Contains(err.Error(), "SLUICE_AGENT_PORT") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestAgentCommandRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"mode":                    {"--mode", "rw"},
		"mode bits":               {"--mode", "7777"},
		"log level":               {"--log-level", "loud"},
		"log format":              {"--log-format", "xml"},
		"snapshots of no profile": {"--service", "s", "--environment", "Production", "--file", "f.json", "--bootstrap", "/srv/snapshots"},
		"no file":                 {"--service", "s", "--environment", "Production"},
		"arguments":               {"file.json"},
	} {
		cmd := newAgentCommand()
		cmd.SetArgs(args)
		cmd.SetErr(&strings.Builder{})
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAgentCommandWorksAndKeepsItsToken(t *testing.T) {
	t.Parallel()
	f := fakeserver.New(t)
	f.Assign(fakeserver.Assignment("p", "1.0.0", 1, map[string]any{"secret": "canary-value"}))
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(fakeserver.RegistrationToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := newAgentCommand()
	cmd.SetErr(&log)
	cmd.SetArgs([]string{"--server", f.URL(), "--token-file", token, "--service", "s", "--environment", "Production",
		"--file", filepath.Join(dir, "app.yaml"), "--mode", "0600", "--log-level", "debug", "--log-format", "text"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	f.UntilAck(1, true)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "app.yaml"))
	if err != nil || string(raw) != "secret: canary-value\n" {
		t.Errorf("file holds %q, %v", raw, err)
	}
	if !strings.Contains(log.String(), "configuration applied") {
		t.Errorf("log does not tell of it: %s", log.String())
	}
	for _, secret := range []string{fakeserver.RegistrationToken, "sli_", "canary-value"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("log tells %q: %s", secret, log.String())
		}
	}
}
