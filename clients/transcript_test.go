package clients_test

import (
	"encoding/json"
	"fmt"
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
	s := newStage(t, "consul,spring,appconfig")
	template := newConsulTemplate(s)
	programs := []program{
		{"consul-template", "shop.conf, as it is rendered", template.show},
		{"consul-api", `pair, _, err := client.KV().Get("shop.staging/greeting", nil)`, showConsulKey},
		{"spring", "curl -u sluice:$TOKEN $SLUICE/spring/shop/staging", showURL("/spring/shop/staging")},
		{"appconfig", "curl -u sluice:$TOKEN $SLUICE/applications/shop/environments/staging/configurations/shop.staging",
			showURL("/applications/shop/environments/staging/configurations/shop.staging")},
	}
	transcripts := map[string]*strings.Builder{}
	for _, p := range programs {
		transcripts[p.name] = &strings.Builder{}
		fmt.Fprintf(transcripts[p.name], "%s\n", p.about)
	}
	record := func(moment string, readers []reader) {
		for _, p := range programs {
			fmt.Fprintf(transcripts[p.name], "\n%s\n", moment)
			for _, r := range readers {
				fmt.Fprintf(transcripts[p.name], "  %-18s %s\n", r.who, p.show(s, r))
			}
		}
	}
	says := func(greeting string, readers ...reader) func() bool {
		return func() bool {
			for _, r := range readers {
				if !strings.Contains(template.show(s, r), greeting) {
					return false
				}
			}
			return true
		}
	}

	s.eventually("every reader to have the first version", says("hello", s.readers...))
	second := s.merge("Greet by the time of day", "good morning")
	var canary, other reader
	s.eventually("the canary", func() bool {
		canary, other = s.readers[0], s.readers[1]
		if says("good morning", other)() {
			canary, other = other, canary
		}
		return says("good morning", canary)()
	})
	// The readers by what they are to this canary: which instance is drawn is another each time.
	canary.who, other.who = "in the canary", "not in the canary"
	readers := []reader{canary, other, s.readers[2]}
	s.eventually("the canary to be applied", func() bool { return s.until(second, "InProgress").Awaiting == "Promotion" })
	record("1.0.1 is merged: a canary on 1 of 2 instances", readers)

	_, err := s.admin.RollbackDeployment(t.Context(), s.until(second, "InProgress").ID, "guests arrive in the evening")
	s.must(err)
	s.eventually("the rollback", says("hello", readers...))
	s.until(second, "RolledBack") // by what consul-template said that it applied
	record("1.0.1 is rolled back", readers)

	third := s.merge("Greet in any case", "welcome")
	s.eventually("the canary to be applied", func() bool { return s.until(third, "InProgress").Awaiting == "Promotion" })
	_, err = s.admin.PromoteDeployment(t.Context(), s.until(third, "InProgress").ID, "good")
	s.must(err)
	s.until(third, "Completed")
	s.eventually("every reader to have the third version", says("welcome", readers...))
	record("1.0.2 is merged, promoted and completed", readers)

	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) { keep(t, p.name, transcripts[p.name].String()) })
	}
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
		out, err := exec.Command("curl", "-sSf", "-u", "sluice:"+r.token, s.daemon.URL()+path).CombinedOutput()
		if err != nil {
			s.t.Fatalf("curl %s: %v\n%s", path, err, out)
		}
		if !json.Valid(out) {
			s.t.Fatalf("curl %s: %s is no JSON", path, out)
		}
		return strings.TrimSpace(string(out))
	}
}
