package charts

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluicehq/sluice/internal/settings"
)

// theirs is what the users' own Secrets hold in the scenarios, "name/key".
var theirs = map[string]string{
	"postgres-app/uri":              "postgres://sluice:5f0c1be2@postgres/sluice",
	"redis/url":                     "redis://redis:6379/0",
	"sluice-keys/master-key":        "2026-11:hc1XojWQQsPFUAAApYQptrxJOL5rOaQ3ODyYdMvpvbg=",
	"sluice-keys/session-keys":      "q8uYv2rT0mXk5Zp1Lw7NcJ4hB9sD3fGe6aVi",
	"sluice-registration/token":     "q8uYv2rT0mXk5Zp1Lw7NcJ4hB9sD3fGe6aVi",
	"sluice-admin/password":         "q8uYv2rT0mXk5Zp1",
	"sluice-oidc/secret":            "Zp1Lw7NcJ4hB9sD3fGe6aVi",
	"git/token":                     "Zp1Lw7NcJ4hB9sD3fGe6aVi",
	"github-app/private-key":        appKey(),
	"legacy/ssh-privatekey":         "read by the daemon when it connects",
	"slack/url":                     "https://hooks.slack.com/services/T0/B0/x",
	"payment-env/SLUICE_SECRET_PAY": "x",
	"git-known-hosts/":              "",
}

// appKey is a key as GitHub makes one for an app.
func appKey() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// mounted are the files that the daemon finds below /run/secrets/sluice.
func mounted(t *testing.T, objects []runtime.Object) map[string]string {
	t.Helper()
	held := map[string]string{}
	for _, s := range all[*corev1.Secret](objects) {
		for key, value := range s.Data {
			held[s.Name+"/"+key] = string(value)
		}
	}
	files := map[string]string{}
	for _, v := range server(t, objects).Spec.Template.Spec.Volumes {
		if v.Name != "secrets" {
			continue
		}
		for _, source := range v.Projected.Sources {
			for _, item := range source.Secret.Items {
				from := source.Secret.Name + "/" + item.Key
				value, ours := held[from]
				if !ours {
					var known bool
					if value, known = theirs[from]; !known {
						t.Errorf("nothing has %s", from)
					}
				}
				files[path.Join("/run/secrets/sluice", item.Path)] = value
			}
		}
	}
	return files
}

func loadSettings(t *testing.T, objects []runtime.Object) (settings.Settings, error) {
	t.Helper()
	files := mounted(t, objects)
	for _, c := range all[*corev1.ConfigMap](objects) {
		if text, ok := c.Data["sluice.yaml"]; ok {
			return settings.Load(settings.Input{File: []byte(text), ReadFile: func(name string) ([]byte, error) {
				content, ok := files[name]
				if !ok {
					return nil, fmt.Errorf("%s is not mounted", name)
				}
				return []byte(content), nil
			}})
		}
	}
	return settings.Settings{}, fmt.Errorf("no ConfigMap has sluice.yaml")
}

// The daemon takes the settings that the chart gives it, with the secrets that are mounted.
func TestSettings(t *testing.T) {
	for _, scenario := range scenarios(t) {
		t.Run(scenario, func(t *testing.T) {
			objects := mustDecode(t, mustRender(t, scenario))
			s, err := loadSettings(t, objects)
			if err != nil {
				t.Fatal(err)
			}
			if cluster := strings.HasPrefix(s.DatabaseURL.Reveal(), "postgres://"); cluster == (scenario == "single") {
				t.Errorf("the database is PostgreSQL: %v", cluster)
			}
			if s.DataDir != "/var/lib/sluice" || s.Listen != ":5000" || s.MasterKey == "" || s.RegistrationToken == "" || s.AdminPassword == "" || s.SessionKeys == "" {
				t.Errorf("the settings are %v", s.LogValue())
			}
			grace := server(t, objects).Spec.Template.Spec.TerminationGracePeriodSeconds
			if stop := s.ShutdownDelay + s.ShutdownTimeout; stop < 20*time.Second || time.Duration(*grace)*time.Second < stop+10*time.Second {
				t.Errorf("a stop takes %s and more, the pod has %ds", stop, *grace)
			}
		})
	}
	s, err := loadSettings(t, mustDecode(t, mustRender(t, "everything")))
	if err != nil {
		t.Fatal(err)
	}
	if s.RetentionVersions != 1000000 || s.Sources[0].Forge.AppID != 1234567 || s.Sources[0].Forge.AppInstallationID != 56789012 || s.RateLimitFactor != 2.5 {
		t.Errorf("numbers have changed: %v", s.LogValue())
	}
	if len(s.Secrets.Kubernetes.Namespaces) != 2 || len(s.Secrets.Allow) != 1 {
		t.Errorf("what references may lead to is not both from the values and the chart: %v", s.Secrets.LogValue())
	}
}

// The loader that this test trusts does refuse: a file that is not mounted, a value that makes no sense.
func TestSettingsAreRead(t *testing.T) {
	for values, want := range map[string]string{
		"config: {oidc_client_secret_file: /run/secrets/sluice/oidc}": "/run/secrets/sluice/oidc is not mounted",
		"config: {poll_interval: 5 parsecs}":                          "poll_interval",
	} {
		files, err := render(loadChart(t), parseValues(t, "mode: single\n"+values), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loadSettings(t, mustDecode(t, files)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", values, err)
		}
	}
}
