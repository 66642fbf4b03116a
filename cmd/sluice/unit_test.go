package main

import (
	"os"
	"strings"
	"testing"
)

// The systemd unit starts the program as the command line takes it, may write
// where its settings say, and gives a stop more time than it may need.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../deploy/sluice.service")
	if err != nil {
		t.Fatal(err)
	}
	unit, section := map[string][]string{}, ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		key, value, isSetting := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		case !isSetting || section == "":
			t.Errorf("%q is no line of a unit", line)
		default:
			unit[section+"."+key] = append(unit[section+"."+key], value)
		}
	}
	program, args, _ := strings.Cut(strings.Join(unit["Service.ExecStart"], " "), " ")
	if err := takes(t, strings.Fields(args)); err != nil || program != "/usr/local/bin/sluice" {
		t.Errorf("ExecStart %s %s: %v", program, args, err)
	}
	for key, want := range map[string]string{
		"Service.User": "sluice", "Service.StateDirectory": "sluice", "Service.WorkingDirectory": "/var/lib/sluice", "Service.Restart": "always",
		"Service.NoNewPrivileges": "yes", "Service.ProtectSystem": "strict", "Service.CapabilityBoundingSet": "", "Install.WantedBy": "multi-user.target",
	} {
		if got := unit[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	guide, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "data_dir: /var/lib/sluice\n") {
		t.Error("docs/install.md names another data_dir than the unit lets be written")
	}
}
