package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	consul "github.com/hashicorp/consul/api"
)

// program is one that reads the shop's configuration. show gives what it has now, as its user sees it.
type program struct {
	name  string
	about string // the first lines of its transcript
	show  func(s *stage, r reader) string
}

// What a program that people run already shows of a canary and of its rollback: the instance in the
// canary reads the new version while nobody else does, and after the rollback nobody does.
func TestTranscripts(t *testing.T) {
	s := newStage(t, "consul,spring,appconfig,apollo,nacos")
	template := newConsulTemplate(s)
	programs := []program{
		{"consul-template", "shop.conf, as it is rendered", template.show},
		{"consul-api", `pair, _, err := client.KV().Get("shop.staging/greeting", nil)`, showConsulKey},
		{"spring", "curl -u sluice:$TOKEN $SLUICE/spring/shop/staging", showURL("/spring/shop/staging")},
		{"appconfig", "curl -u sluice:$TOKEN $SLUICE/applications/shop/environments/staging/configurations/shop.staging",
			showURL("/applications/shop/environments/staging/configurations/shop.staging")},
		{"apollo", "namespace.get('greeting'), which ctrip-apollo 4.5.1 keeps by its long poll", newNodeReaders(s, npmInstall(s), "apollo").show},
		{"apollo-http", "curl -u sluice:$TOKEN $SLUICE/configs/shop/staging/application", showURL("/configs/shop/staging/application")},
		{"nacos", "what nacos-sdk-go 1.0.8 told its listener of dataId shop.staging.json", newNacosReaders(s).show},
	}
	s.plays(programs, nil) // consul-template says what it applied
}

// consulTemplate is one process for each reader, set up as the page says.
type consulTemplate struct{ dir string }

func newConsulTemplate(s *stage) consulTemplate {
	s.t.Helper()
	binary := built(s.t, "consul-template", "github.com/hashicorp/consul-template")
	settings := block(s.t, "consul-template, envconsul and confd", "hcl")
	c := consulTemplate{s.t.TempDir()}
	for _, r := range s.readers {
		text := settings
		if r.id == "" {
			text, _, _ = strings.Cut(settings, "# An instance alone")
		}
		text = strings.NewReplacer("sluice.example.com:5000", s.address(), "/etc/shop/", c.dir+"/"+r.token+"/").Replace(text)
		file := filepath.Join(c.dir, r.token+".hcl")
		s.must(os.WriteFile(file, []byte(text), 0o600))
		s.run([]string{"CONSUL_HTTP_TOKEN=" + r.token, "INSTANCE_ID=" + r.id}, binary, "-config", file)
	}
	return c
}

func (c consulTemplate) show(_ *stage, r reader) string {
	text, err := os.ReadFile(filepath.Join(c.dir, r.token, "shop.conf"))
	if err != nil {
		return "" // not rendered yet
	}
	return strings.TrimSpace(string(text))
}

func showConsulKey(s *stage, r reader) string {
	s.t.Helper()
	c, err := consul.NewClient(&consul.Config{Address: s.address(), Token: r.token})
	s.must(err)
	pair, _, err := c.KV().Get(shop+"/greeting", nil)
	s.must(err)
	return string(pair.Value)
}

// showURL reads as curl does, with the token as password.
func showURL(path string) func(s *stage, r reader) string {
	return func(s *stage, r reader) string {
		s.t.Helper()
		return curl(s, path, "-u", "sluice:"+r.token)
	}
}

// showBearer reads as curl does, with the token as a bearer's.
func showBearer(path string) func(s *stage, r reader) string {
	return func(s *stage, r reader) string {
		s.t.Helper()
		return curl(s, path, "-H", "Authorization: Bearer "+r.token)
	}
}

// curl gets JSON.
func curl(s *stage, path string, how ...string) string {
	s.t.Helper()
	out, err := exec.Command("curl", append(how, "-sSf", s.daemon.URL()+path)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("curl %s: %v\n%s", path, err, out)
	}
	if !json.Valid(out) {
		s.t.Fatalf("curl %s: %s is no JSON", path, out)
	}
	return strings.TrimSpace(string(out))
}
