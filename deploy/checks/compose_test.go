package checks_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	development = "compose.yaml"
	production  = "compose.production.yaml"
)

// load reads a file as Compose does: by its schema, with what it refers to.
func load(t *testing.T, name string) *types.Project {
	t.Helper()
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: folder, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, name)}},
		Environment: types.Mapping{"SLUICE_IMAGE": "registry.example.com/sluice:1.2.3"},
	}, func(o *loader.Options) { o.SetProjectName("sluice", false) })
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// oneShot services end by themselves.
func oneShot(s types.ServiceConfig) bool { return s.Restart == "no" }

// What both files keep to.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{development, production} {
		project := load(t, name)
		for _, s := range project.Services {
			if !minorTag.MatchString(strings.TrimPrefix(s.Image, "registry.example.com/")) && !regexp.MustCompile(`:v?[0-9]+\.[0-9]+`).MatchString(s.Image) {
				t.Errorf("%s: %s: the image %s has no tag down to its minor version", name, s.Name, s.Image)
			}
			if s.HealthCheck == nil && !oneShot(s) {
				t.Errorf("%s: %s has no health check", name, s.Name)
			}
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" && s.Name != "proxy" {
					t.Errorf("%s: %s: port %s is open to everybody", name, s.Name, port.Published)
				}
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					mustExist(t, name+": "+s.Name, v.Source)
				}
			}
		}
		for _, c := range project.Configs {
			mustExist(t, name, c.File)
		}
	}
}

func mustExist(t *testing.T, who, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Errorf("%s mounts what is not there: %v", who, err)
	}
}

// Nobody can write to his image, gain rights, or take the machine's memory.
func TestProductionIsHardened(t *testing.T) {
	t.Parallel()
	for _, s := range load(t, production).Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read_only %v, cap_drop %v, security_opt %v", s.Name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if oneShot(s) {
			continue
		}
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 || s.Deploy.Resources.Limits.NanoCPUs == 0 {
			t.Errorf("%s has no limits of memory and processors", s.Name)
		}
		if len(s.CapAdd) > 0 || s.Privileged {
			t.Errorf("%s has rights: %v", s.Name, s.CapAdd)
		}
	}
}

// The replicas: three, with what a node needs, that wait for the schema.
func TestProductionReplicas(t *testing.T) {
	t.Parallel()
	project := load(t, production)
	s := project.Services["sluice"]
	if s.Deploy == nil || s.Deploy.Replicas == nil || *s.Deploy.Replicas != 3 {
		t.Fatal("there are no three replicas")
	}
	limits, reserved := s.Deploy.Resources.Limits, s.Deploy.Resources.Reservations
	if limits.NanoCPUs != 2 || limits.MemoryBytes != 4<<30 || reserved.NanoCPUs != 1 || reserved.MemoryBytes != 2<<30 {
		t.Errorf("limits are %+v, reservations %+v", limits, reserved)
	}
	for service, want := range map[string]string{
		"migrate": types.ServiceConditionCompletedSuccessfully, "postgres": types.ServiceConditionHealthy, "redis": types.ServiceConditionHealthy,
	} {
		if got := s.DependsOn[service].Condition; got != want {
			t.Errorf("the replicas wait for %s to be %q, want %q", service, got, want)
		}
	}
	migrate := project.Services["migrate"]
	if !oneShot(migrate) || migrate.Image != s.Image || !slices.Equal(migrate.Command, []string{"migrate", "up"}) {
		t.Errorf("the migration is %v of %s, restart %s", migrate.Command, migrate.Image, migrate.Restart)
	}
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeVolume && v.Source != "" {
			t.Errorf("the replicas share the volume %s", v.Source)
		}
	}
}

// The replicas of the role watch: the same image and settings as the others, without
// the secrets that only what decides needs.
func TestProductionWatchReplicas(t *testing.T) {
	t.Parallel()
	project := load(t, production)
	s, deciding := project.Services["sluice-watch"], project.Services["sluice"]
	if s.Image != deciding.Image || s.Environment["SLUICE_ROLE"] == nil || *s.Environment["SLUICE_ROLE"] != "watch" || deciding.Environment["SLUICE_ROLE"] != nil {
		t.Errorf("the image is %s, the environment %v", s.Image, s.Environment)
	}
	for name, value := range s.Environment {
		if name == "SLUICE_ROLE" || name == "GOMEMLIMIT" {
			continue
		}
		if other := deciding.Environment[name]; other == nil || *other != *value {
			t.Errorf("%s is %s, and not so for what decides", name, *value)
		}
	}
	for _, secret := range s.Secrets {
		if secret.Source == "admin-password" || secret.Source == "registration-token" {
			t.Errorf("it is given %s", secret.Source)
		}
	}
	if s.DependsOn["migrate"].Condition != types.ServiceConditionCompletedSuccessfully {
		t.Error("it does not wait for the schema")
	}
}

// What the file says of the image is what the Dockerfile says.
func TestProductionFitsTheImage(t *testing.T) {
	t.Parallel()
	final := last(readDockerfile(t))
	s := load(t, production).Services["sluice"]
	check, ok := final.find("HEALTHCHECK")[0].exec()
	if !ok || !slices.Equal(s.HealthCheck.Test, append([]string{"CMD"}, check...)) {
		t.Errorf("the health check is %q, that of the image %q", s.HealthCheck.Test, check)
	}
	if port := final.find("EXPOSE")[0].text; *s.Environment["SLUICE_LISTEN"] != ":"+port {
		t.Errorf("it listens on %s, the image exposes %s", *s.Environment["SLUICE_LISTEN"], port)
	}
	if want := final.find("WORKDIR")[0].text + "/sluice.yaml"; s.Configs[0].Target != want {
		t.Errorf("its settings are mounted at %s, it reads %s", s.Configs[0].Target, want)
	}
}

// makeSecrets runs make-secrets.sh, twice: the second time makes nothing.
func makeSecrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	first := run(t, "../make-secrets.sh", dir)
	if !strings.Contains(first, "made master-key") {
		t.Errorf("the first run says %q", first)
	}
	if again := run(t, "../make-secrets.sh", dir); again != "" {
		t.Errorf("a second run says %q", again)
	}
	return dir
}

// Every secret of the file is made, and none that nobody uses.
func TestSecretsAreMade(t *testing.T) {
	t.Parallel()
	project := load(t, production)
	dir := makeSecrets(t)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, e := range entries {
		made = append(made, e.Name())
	}
	used := map[string]bool{}
	for _, s := range project.Services {
		for _, secret := range s.Secrets {
			used[filepath.Base(project.Secrets[secret.Source].File)] = true
		}
	}
	if want := slices.Sorted(maps.Keys(used)); !slices.Equal(made, want) {
		t.Errorf("made are %v, used %v", made, want)
	}
}

// The proxy leads to the replicas, keeps event streams open, and serves with the
// secrets and on the ports that it has.
func TestProxy(t *testing.T) {
	t.Parallel()
	project := load(t, production)
	text, err := os.ReadFile("../nginx/sluice.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	proxy, sluice := project.Services["proxy"], project.Services["sluice"]
	if !strings.Contains(conf, "server sluice"+*sluice.Environment["SLUICE_LISTEN"]+" resolve") {
		t.Error("the proxy does not lead to where the replicas listen")
	}
	watching := *project.Services["sluice-watch"].Environment["SLUICE_LISTEN"]
	if !regexp.MustCompile(`upstream instances \{[^}]*server sluice-watch` + watching + ` resolve[^}]*server sluice` + watching + ` resolve backup;`).MatchString(conf) {
		t.Error("instances are not led to the watch replicas, and to the others while these are away")
	}
	if !regexp.MustCompile(`location /api/v1/instances \{\s*proxy_pass http://instances;\s*\}`).MatchString(conf) || strings.Count(conf, "proxy_set_header") != 4 {
		t.Error("what instances ask for does not go to their upstream, as everything else goes to the other")
	}
	for _, port := range proxy.Ports {
		if !regexp.MustCompile(`(?m)^\s*listen ` + regexp.QuoteMeta(itoa(port.Target)) + `( ssl)?;`).MatchString(conf) {
			t.Errorf("port %s leads to %d, where the proxy does not listen", port.Published, port.Target)
		}
	}
	for _, secret := range proxy.Secrets {
		if !strings.Contains(conf, "/run/secrets/"+secret.Source+";") {
			t.Errorf("the proxy does not use %s", secret.Source)
		}
	}
	for _, want := range []string{"proxy_buffering off;", "proxy_read_timeout 1h;", "X-Forwarded-For $remote_addr;", "client_max_body_size 25m;"} {
		if !strings.Contains(conf, want) {
			t.Errorf("the proxy lacks %s", want)
		}
	}
	// What it says of its clients is believed, as it comes from its own network.
	edge := project.Networks["edge"]
	if got := *sluice.Environment["SLUICE_TRUSTED_PROXIES"]; len(edge.Ipam.Config) != 1 || got != edge.Ipam.Config[0].Subnet {
		t.Errorf("trusted are %s, the network is %+v", got, edge.Ipam.Config)
	}
}

// Prometheus scrapes the replicas by the name and the port that they have.
func TestScrapeTargets(t *testing.T) {
	t.Parallel()
	sluice := load(t, production).Services["sluice"]
	text, err := os.ReadFile("../prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	port := strings.TrimPrefix(*sluice.Environment["SLUICE_LISTEN"], ":")
	named := regexp.MustCompile(`(?m)names: \[sluice, sluice-watch\]$`).Match(text)
	if !named || !regexp.MustCompile(`port:\s*`+port+`\b`).Match(text) {
		t.Errorf("prometheus.yml does not find the services sluice and sluice-watch at port %s", port)
	}
}
