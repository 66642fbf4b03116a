package clients_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
)

// plays takes the programs through a canary, its rollback, and a version that completes, and holds what
// each shows against the page. Every program must have what its reader should run before that is
// recorded. applied says for an instance that it runs what it is assigned, where no program does.
func (s *stage) plays(programs []program, applied func(r reader)) {
	s.t.Helper()
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
	says := func(greeting string, readers ...reader) bool {
		for _, r := range readers {
			for _, p := range programs {
				if !strings.Contains(p.show(s, r), greeting) {
					return false
				}
			}
		}
		return true
	}
	apply := func() {
		for _, r := range s.readers {
			if applied != nil && r.id != "" {
				applied(r)
			}
		}
	}
	reaches := func(what, commit string, there func(d wire.Deployment) bool) (d wire.Deployment) {
		s.t.Helper()
		s.eventually(what, func() bool {
			apply()
			page, err := s.admin.Deployments(s.t.Context(), client.DeploymentFilter{ConfigName: shop, Commit: commit})
			if err != nil || len(page.Items) == 0 {
				return false
			}
			d = page.Items[0]
			return there(d)
		})
		return d
	}
	awaited := func(d wire.Deployment) bool { return d.Awaiting == "Promotion" }
	is := func(status string) func(wire.Deployment) bool {
		return func(d wire.Deployment) bool { return d.Status == status }
	}

	s.eventually("every reader to have the first version", func() bool { return says("hello", s.readers...) })
	second := s.merge("Greet by the time of day", "good morning")
	canary, other := s.readers[0], s.readers[1]
	s.eventually("the canary", func() bool {
		if says("good morning", other) {
			canary, other = other, canary
		}
		return says("good morning", canary)
	})
	// The readers by what they are to this canary: which instance is drawn is another each time.
	canary.who, other.who = "in the canary", "not in the canary"
	readers := []reader{canary, other, s.readers[2]}
	d := reaches("the canary to be applied", second, awaited)
	record("1.0.1 is merged: a canary on 1 of 2 instances", readers)

	_, err := s.admin.RollbackDeployment(s.t.Context(), d.ID, "guests arrive in the evening")
	s.must(err)
	s.eventually("the rollback", func() bool { return says("hello", readers...) })
	reaches("the rollback to be applied", second, is("RolledBack"))
	record("1.0.1 is rolled back", readers)

	third := s.merge("Greet in any case", "welcome")
	d = reaches("the canary to be applied", third, awaited)
	_, err = s.admin.PromoteDeployment(s.t.Context(), d.ID, "good")
	s.must(err)
	reaches("all of it to be applied", third, is("Completed"))
	s.eventually("every reader to have the third version", func() bool { return says("welcome", readers...) })
	record("1.0.2 is merged, promoted and completed", readers)

	for _, p := range programs {
		s.t.Run(p.name, func(t *testing.T) { keep(t, p.name, transcripts[p.name].String()) })
	}
}

// applies acknowledges what an instance is assigned.
func (s *stage) applies(r reader) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.daemon.URL()+"/api/v1/instances/"+r.id+"/configs", http.NoBody)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	var all wire.Assignments
	s.must(json.NewDecoder(resp.Body).Decode(&all))
	c, err := client.New(client.Options{Server: s.daemon.URL(), Token: r.token})
	s.must(err)
	for _, a := range all.Assignments {
		s.must(c.Applied(s.t.Context(), r.id, wire.AppliedRequest{ConfigName: a.ConfigName, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true}))
	}
}

// The same for flags. The programs of npm are what clients/node has.
func TestTranscriptsOfFlags(t *testing.T) {
	s := newStage(t, "flagd,ofrep", shopFlags)
	node := npmInstall(s)
	s.plays([]program{
		{"flagd-http", "curl -H \"Authorization: Bearer $TOKEN\" $SLUICE/flags/shop.staging/flagd.json", showBearer("/flags/shop.staging/flagd.json")},
		{"flagd", "flag greeting, as flagd-core 4.0.1 evaluates what flagd's HTTP sync reads", newNodeReaders(s, node, "flagd").show},
		{"ofrep", "await client.getStringDetails('greeting', 'none', context), by ofrep-provider 0.1.3", newNodeReaders(s, node, "ofrep").show},
	}, s.applies)
}
