package bench_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/store"
	"github.com/sluicehq/sluice/webhook"
)

// replica is a source of a daemon: a mirror, a database, and what brings the one into the other.
type replica struct {
	c        *configs
	folder   string // of the mirror
	database string
	mirror   *gitsource.Mirror
	db       *store.Store
	r        *reconciler.Reconciler
}

// newReplica has had its first sync.
func newReplica(c *configs, database string) *replica {
	p := &replica{c: c, folder: c.tb.TempDir(), database: database}
	p.start()
	if _, err := p.r.Sync(c.tb.Context()); err != nil {
		c.tb.Fatal(err)
	}
	return p
}

// start opens what is on disk, as a daemon does at its start.
func (p *replica) start() {
	p.mirror, p.db = p.c.open(p.folder, p.database)
	p.r = p.c.reconciler(p.mirror, p.db)
}

func (p *replica) stop() { closed(p.c.tb, p.mirror, p.db) }

// commit times one more commit, from the poll that finds it to its version stored.
func (p *replica) commit() float64 {
	p.c.push()
	return milliseconds(func() { p.c.sync(p.r, 1) })
}

// benchCommits measures what one merged commit costs, in a repository of any size and age.
func benchCommits(s *scenario) {
	benchCommitGrowth(s)
	c := newConfigs(s, s.Profiles, s.Commits+6*(s.Rounds+1))
	benchReading(s, c)
	for _, engine := range engines {
		benchWebhook(s, c, engine)
	}
	p := newReplica(c, engines[0].database(s))
	benchPoll(s, p)
	benchAge(s, p)
}

// benchReading compares with the command line what Git alone has to do with it.
func benchReading(s *scenario, c *configs) {
	m, db := c.open(s.TempDir(), engines[0].database(s))
	defer closed(s, m, db)
	clone := filepath.Join(s.TempDir(), "clone.git")
	if _, err := m.Fetch(s.Context()); err != nil {
		s.Fatal(err)
	}
	git(s, c.root, nil, "clone", "--quiet", "--bare", c.url, clone)
	ours, floor := s.inTurn(func() float64 {
		from := c.commits[c.pushed]
		to := c.push()
		return milliseconds(func() { readCommit(s, m, from, to) })
	}, func() float64 {
		from, to := c.commits[c.pushed-1], c.commits[c.pushed]
		return milliseconds(func() {
			git(s, clone, nil, "fetch", "--quiet", "origin", "main")
			file := git(s, clone, nil, "diff-tree", "-r", "--name-only", from, to)
			git(s, clone, nil, "cat-file", "blob", to+":"+file)
		})
	})
	s.add(bench.Figure{
		What: fmt.Sprintf("one commit fetched, compared and its file read, of %d profiles", s.Profiles), Unit: "ms", Ours: ours,
		Beside: "git fetch, git diff-tree and git cat-file", Floor: floor, Goal: 0.5,
	})
}

// readCommit fetches a commit that changed one file, and reads that.
func readCommit(s *scenario, m *gitsource.Mirror, from, to string) {
	s.Helper()
	head, err := m.Fetch(s.Context())
	if err != nil || head != to {
		s.Fatalf("fetched %s, %v; want %s", head, err, to)
	}
	if walked, err := m.Walk(s.Context(), from, to); err != nil || len(walked) != 1 {
		s.Fatalf("walked %d commits, %v", len(walked), err)
	}
	changes, err := m.Changes(s.Context(), from, to)
	if err != nil || len(changes) != 1 {
		s.Fatalf("changes %v, %v", changes, err)
	}
	if _, err := m.Read(s.Context(), to, changes[0].Path); err != nil {
		s.Fatal(err)
	}
}

const webhookSecret = "0f6c2b1a9d8e7f60514233240516a7b8"

// benchWebhook measures from the webhook of a push to its version in the database.
func benchWebhook(s *scenario, c *configs, engine engine) {
	p := newReplica(c, engine.database(s))
	defer p.stop()
	made := make(chan int, 1)
	r, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: "configs", Branch: "main", Path: "profiles", PollInterval: time.Hour}, Git: p.mirror, Store: synced{p.db},
		Metrics: reconciler.Metrics{VersionsMade: func(_ string, n int) { made <- n }},
	})
	if err != nil {
		s.Fatal(err)
	}
	inbox := store.NewDeliveryWriter(p.db)
	door, err := webhook.New(webhook.Options{
		Sources: []webhook.Source{{ID: "configs", Forge: "gitea", Repository: "acme/configs", Branch: "main", Secrets: []string{webhookSecret}}},
		Store:   deliveries{inbox}, Wake: func(string) { r.Wake() },
	})
	if err != nil {
		s.Fatal(err)
	}
	defer running(s, inbox.Run, r.Run)()
	server := httptest.NewServer(door)
	defer server.Close()
	pace := time.NewTimer(0) // a source is looked at once a second at the most
	defer pace.Stop()
	ours, floor := s.inTurn(func() float64 {
		<-pace.C
		defer pace.Reset(time.Second)
		head := c.push()
		return milliseconds(func() {
			announce(s, server.URL, head)
			select {
			case n := <-made:
				if n != 1 {
					s.Errorf("%d versions of one commit", n)
				}
			case <-time.After(time.Minute):
				s.Fatal("no version after a minute")
			}
		})
	}, func() float64 {
		return milliseconds(func() { git(s, c.root, nil, "ls-remote", c.url, "refs/heads/main") })
	})
	s.add(bench.Figure{
		What: fmt.Sprintf("one commit from its webhook to its version stored, of %d profiles, on %s", s.Profiles, engine.name), Unit: "ms", Ours: ours,
		Beside: "git ls-remote", Floor: floor,
	})
}

// deliveries lets the store's writer keep what the door takes, as the daemon does.
type deliveries struct{ inbox *store.Deliveries }

// RecordDeliveries keeps deliveries.
func (d deliveries) RecordDeliveries(ctx context.Context, all ...webhook.Delivery) ([]bool, error) {
	rows := make([]store.Delivery, len(all))
	for i, one := range all {
		rows[i] = store.Delivery(one)
	}
	return d.inbox.Record(ctx, rows...)
}

// running runs loops until what it returns is called.
func running(s *scenario, loops ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, len(loops))
	for _, loop := range loops {
		go func() { ended <- loop(ctx) }()
	}
	return func() {
		cancel()
		for range loops {
			if err := <-ended; err != nil && ctx.Err() == nil {
				s.Error(err)
			}
		}
	}
}

// announce sends the webhook of a push.
func announce(s *scenario, url, head string) {
	s.Helper()
	body := fmt.Sprintf(`{"ref": "refs/heads/main", "after": %q, "repository": {"full_name": "acme/configs"}}`, head)
	sum := hmac.New(sha256.New, []byte(webhookSecret))
	sum.Write([]byte(body))
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, url+webhook.Path+"gitea", strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Delivery": head, "X-Gitea-Signature": hex.EncodeToString(sum.Sum(nil)),
	} {
		req.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		s.Fatalf("the webhook was answered %s", answer.Status)
	}
}

// benchPoll measures a poll that finds nothing.
func benchPoll(s *scenario, p *replica) {
	ours, floor := s.inTurn(func() float64 { return milliseconds(func() { p.c.sync(p.r, 0) }) },
		func() float64 {
			return milliseconds(func() { git(s, p.c.root, nil, "ls-remote", p.c.url, "refs/heads/main") })
		})
	s.add(bench.Figure{
		What: fmt.Sprintf("a poll that finds nothing, of %d profiles", s.Profiles), Unit: "ms", Ours: ours,
		Beside: "git ls-remote", Floor: floor, Goal: 0.3,
	})
}

// benchAge measures commits in a mirror and a database that have seen many, and after a restart then. Those
// between the first and the last that are measured are fetched one by one, and stored ten in a pass.
func benchAge(s *scenario, p *replica) {
	some := min(50, s.Commits/2)
	first, last := make([]float64, some), make([]float64, some)
	for i := range first {
		first[i] = p.commit()
	}
	between := s.Commits - 2*some
	for waiting := 1; between > 0; between, waiting = between-1, waiting+1 {
		p.c.push()
		if _, err := p.mirror.Fetch(s.Context()); err != nil { // each by itself, which is what ages a mirror
			s.Fatal(err)
		}
		if waiting == 10 || between == 1 {
			p.c.sync(p.r, waiting)
			waiting = 0
		}
	}
	for i := range last {
		last[i] = p.commit()
	}
	fresh := fmt.Sprintf("each of the first %d", some)
	s.add(bench.Figure{
		What: fmt.Sprintf("one commit polled and stored, the last %d of %d", some, s.Commits), Unit: "ms", Ours: last,
		Beside: fresh, Floor: first, Goal: 1.3,
	})
	var restarted []float64
	for range s.Rounds {
		p.stop()
		p.c.push()
		restarted = append(restarted, milliseconds(func() {
			p.start()
			p.c.sync(p.r, 1)
		}))
	}
	p.stop()
	s.add(bench.Figure{
		What: "mirror and database opened after them, and one commit polled and stored", Unit: "ms", Ours: restarted,
		Beside: fresh, Floor: first, Goal: 2,
	})
}

// benchCommitGrowth measures how one commit grows with the repository.
func benchCommitGrowth(s *scenario) {
	sizes, costs := []float64{}, []float64{}
	for _, profiles := range []int{s.Profiles / 10, s.Profiles * 3 / 10, s.Profiles} {
		c := newConfigs(s, profiles, 2*s.Rounds)
		p := newReplica(c, engines[0].database(s))
		var rounds []float64
		for range 2 * s.Rounds {
			rounds = append(rounds, p.commit())
		}
		p.stop()
		s.add(bench.Figure{What: fmt.Sprintf("one commit polled and stored, of %d profiles", profiles), Unit: "ms", Ours: rounds})
		sizes, costs = append(sizes, float64(profiles)), append(costs, bench.Median(rounds))
	}
	s.note("One commit grows with the number of profiles to the power of %.2f.", bench.Exponent(sizes, costs))
}

// engine is a database to measure on.
type engine struct {
	name     string
	database func(s *scenario) string // a new one
}

var engines = []engine{
	{"SQLite", func(s *scenario) string { return filepath.Join(s.TempDir(), "sluice.db") }},
	{"Postgres", func(s *scenario) string { return testenv.SharedPostgres(s).CreateDatabase(s, "") }},
}

// BenchmarkCommit is one commit polled and stored in a repository of 10,000 profiles.
func BenchmarkCommit(b *testing.B) {
	p := newReplica(newConfigs(b, full.Profiles, 3*full.Commits), filepath.Join(b.TempDir(), "sluice.db"))
	defer p.stop()
	for b.Loop() {
		p.commit()
	}
}

// BenchmarkPoll is a poll that finds nothing.
func BenchmarkPoll(b *testing.B) {
	p := newReplica(newConfigs(b, full.Profiles, 0), filepath.Join(b.TempDir(), "sluice.db"))
	defer p.stop()
	for b.Loop() {
		p.c.sync(p.r, 0)
	}
}
