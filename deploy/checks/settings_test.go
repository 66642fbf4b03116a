package checks_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// checkSettings: the program takes the variables, the file and the secrets that
// the production file gives it. Nothing is misspelt, unknown, weak or missing. It is
// the health check that is asked: it reads them all, and then finds nobody.
func checkSettings(t *testing.T, img *image) {
	project := load(t, production)
	made, mounts := makeSecrets(t), []string{project.Configs["sluice"].File + "=/etc/sluice/sluice.yaml"}
	for name, secret := range project.Secrets {
		mounts = append(mounts, filepath.Join(made, filepath.Base(secret.File))+"=/run/secrets/"+name)
	}
	help, err := img.command(t.Context(), nil, nil, "/sluice", "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range regexp.MustCompile(`SLUICE_[A-Z_]+`).FindAllString(string(help), -1) {
		known[name] = true
	}
	for _, name := range []string{"migrate", "sluice", "sluice-watch"} {
		env := serviceEnv(t, project, name, known)
		if said, ok := settingsAreTaken(t, img, mounts, env); !ok {
			t.Errorf("%s: %s", name, said)
		}
		if said, ok := settingsAreTaken(t, img, mounts, append(env, "SLUICE_SESSION_KEYS_FILE=/run/secrets/absent")); ok {
			t.Errorf("%s: a secret that is not there is taken: %s", name, said)
		}
	}
}

// settingsAreTaken asks where nobody listens: an error of the connection comes after
// the settings were read.
func settingsAreTaken(t *testing.T, img *image, mounts, env []string) (string, bool) {
	t.Helper()
	env = append(env, "SLUICE_LISTEN="+ownLoopback())
	out, err := img.command(t.Context(), mounts, env, "/sluice", "healthcheck").CombinedOutput()
	return string(out), err != nil && strings.Contains(string(out), "connection refused")
}

// serviceEnv is the environment of a service, whose names the program knows and
// whose secrets are mounted.
func serviceEnv(t *testing.T, project *types.Project, service string, known map[string]bool) []string {
	t.Helper()
	s := project.Services[service]
	mounted := map[string]bool{}
	for _, secret := range s.Secrets {
		if secret.Target != "/run/secrets/"+secret.Source {
			t.Errorf("%s: the secret %s is mounted at %s", service, secret.Source, secret.Target)
		}
		mounted["/run/secrets/"+secret.Source] = true
	}
	var env []string
	for key, value := range s.Environment {
		if !known[key] && !strings.HasPrefix(key, "OTEL_") && key != "GOMEMLIMIT" {
			t.Errorf("%s: there is no setting %s", service, key)
		}
		if strings.HasSuffix(key, "_FILE") && !mounted[*value] {
			t.Errorf("%s: %s is %s, where no secret is mounted", service, key, *value)
		}
		if key != "SLUICE_LISTEN" {
			env = append(env, key+"="+*value)
		}
	}
	if !mounted["/run/secrets/database-url"] {
		t.Errorf("%s has no database", service)
	}
	return env
}
