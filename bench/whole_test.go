package bench_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// whole is a real daemon that a push tells by a webhook, and a fleet whose streams are all open.
type whole struct {
	*estate
	repo    *testenv.Repo
	clone   string // for the floor
	daemon  *testenv.Daemon
	readers *process
	n       int
}

const wholeProfile = "fleet.staging"

func (s *scenario) whole() *whole {
	s.Helper()
	w := &whole{estate: &estate{s: s, url: testenv.NewPostgres(s, "max_connections = 200").CreateDatabase(s, ""), admin: api.NewToken(api.UserToken)}, repo: testenv.NewRepo(s)}
	w.db = openStore(s, w.url)
	var err error
	w.bare, err = sql.Open("pgx", w.url)
	must(s, err)
	s.Cleanup(func() { w.bare.Close() })
	w.commit()
	w.clone = filepath.Join(s.TempDir(), "clone.git")
	git(s, s.TempDir(), nil, "clone", "--quiet", "--bare", w.repo.Bare, w.clone)
	w.daemon = w.estate.daemon(w.settings(), "--poll-interval", "1h")
	w.waitFor(1, `SELECT count(*) FROM config_profiles WHERE current_version = '1.0.0'`)
	must(s, w.db.CreateToken(s.Context(), store.Token{
		ID: uuid.NewString(), Name: "bench", Kind: store.TokenAPI, Role: "Admin", Hash: api.HashToken(w.admin), CreatedBy: "bench",
	}))
	w.profiles = []profile.Record{{Name: wholeProfile, Service: wholeProfile, Environment: profile.Staging}}
	w.enrol(s.Instances)
	w.readers = startReaders(s, &process{t: s, door: strings.TrimPrefix(w.daemon.URL(), "http://")}, "watch", writeMembers(s, w.members), s.Instances)
	return w
}

// settings has the source be of a forge that tells by webhooks and that nobody answers for.
func (w *whole) settings() string {
	dir := w.s.TempDir()
	for name, text := range map[string]string{
		"token": "none", "secrets": webhookSecret,
		"sluice.yaml": fmt.Sprintf(`allow_file_urls: true
allow_insecure_http: true
sources:
  - id: configs
    url: %s
    poll_interval: 1h
    forge: {type: gitea, url: "http://127.0.0.1:%d", repository: acme/configs, token_file: %s/token, webhook_secrets_file: %s/secrets}
`, w.repo.Bare, testenv.FreePort(w.s), dir, dir),
	} {
		must(w.s, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return "--config=" + filepath.Join(dir, "sluice.yaml")
}

// commit makes the next version and pushes it.
func (w *whole) commit() (head string) {
	w.n++
	w.repo.Write("fleet.yaml", fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: %s
environment: Staging
serviceType: Microservice
strategy: {type: Direct}
data: {n: %d, text: %s}
`, wholeProfile, wholeProfile, w.n, setting))
	head = w.repo.Commit(fmt.Sprintf("Edition %d", w.n))
	w.repo.Push()
	return head
}

// beaten keeps the fleet from being silent: its readers send no heartbeats.
func (w *whole) beaten() { w.exec(`UPDATE service_instances SET last_heartbeat = now()`) }

// until is how long it took from begin until every reader had heard of a version, in ms.
func (w *whole) until(version string, begin func()) float64 {
	w.readers.do("listen", fmt.Sprintf(`"version":%q`, version))
	began := time.Now().UnixNano()
	begin()
	return float64(w.readers.do("last", "")-began) / 1e6
}

func (w *whole) deployed() float64 {
	w.beaten()
	head := w.commit()
	return w.until(fmt.Sprintf("1.0.%d", w.n-1), func() { announce(w.s, w.daemon.URL(), head) })
}

// rolledBack takes the version that is on its way back, and gives what the call took, too.
func (w *whole) rolledBack() (call, told float64) {
	told = w.until("1.0.0", func() {
		call = milliseconds(func() {
			w.ask(http.MethodPost, w.daemon.URL()+"/api/v1/configs/"+wholeProfile+"/rollback", `{"reason": "it hurts"}`, http.StatusOK)
		})
	})
	return call, told
}

// bareFetch is what Git alone has to do.
func (w *whole) bareFetch() {
	from := git(w.s, w.clone, nil, "rev-parse", "main")
	git(w.s, w.clone, nil, "fetch", "--quiet", w.repo.Bare, "main:main")
	git(w.s, w.clone, nil, "diff-tree", "-r", "--name-only", from, "main")
	git(w.s, w.clone, nil, "cat-file", "blob", "main:fleet.yaml")
}

// bareUpdate is what the assignments alone take. The daemon's streams are told of it by their next
// look: the broadcast that is measured after it has the processors for itself.
func (w *whole) bareUpdate(assignments func() float64) (took float64) {
	w.until("1.0.0", func() { took = assignments() })
	return took
}

// benchWhole is what people wait for: from the webhook of a merge to the last instance, and from the
// call of a rollback to the last one.
func benchWhole(s *scenario) {
	w := s.whole()
	bare := startChild(s, "bare")
	listeners := startReaders(s, bare, "stream", "", s.Instances)
	assignments := w.bareAssignments()
	pace := time.NewTimer(0) // a source is looked at once a second at the most
	defer pace.Stop()
	var calls, back []float64
	ours, floor := s.inTurn(func() float64 {
		<-pace.C
		took := w.deployed()
		call, told := w.rolledBack()
		calls, back = append(calls, call), append(back, told)
		pace.Reset(time.Second)
		return took
	}, func() float64 {
		return milliseconds(w.bareFetch) + w.bareUpdate(assignments) + told(bare, listeners, sameBytes(int(w.readers.do("size", ""))))
	})
	s.add(bench.Figure{
		What: fmt.Sprintf("a webhook to the last of %s instances, Direct", count(s.Instances)), Unit: "ms", Ours: ours,
		Beside: "git on the command line, one update of as many rows, a bare broadcast", Floor: floor, Goal: 1.5,
	})
	s.add(bench.Figure{What: fmt.Sprintf("a rollback's call to the last of %s instances told", count(s.Instances)), Unit: "ms", Ours: back, Goal: 1000})
	s.add(bench.Figure{What: "the call itself, which gives that many assignments back", Unit: "ms", Ours: calls})
	s.note("On PostgreSQL with fsync off. Before the broadcast the commit becomes a version and a deployment, and the engine reads the whole fleet to decide about it.")
}

// benchAPI is what docs/api.md promises of four doors, while a hundred canaries are under way.
func benchAPI(s *scenario) {
	n := min(100, s.Deployments)
	e := s.estateOf(testenv.NewPostgres(s, "max_connections = 200").CreateDatabase(s, ""), n, 10*n)
	e.health()
	e.goLive()
	d := e.daemon()
	e.waitFor(n, `SELECT count(*) FROM config_deployments WHERE status = 'InProgress'`)
	e.take()
	var live string
	must(s, e.bare.QueryRowContext(s.Context(), `SELECT deployment_id FROM config_deployments WHERE status = 'InProgress' LIMIT 1`).Scan(&live))
	v1 := d.URL() + "/api/v1"
	for _, door := range []struct {
		what string
		goal float64 // p99, as docs/api.md has it
		ask  func(i int)
	}{
		{"POST /configs", 200, func(i int) {
			e.ask(http.MethodPost, v1+"/configs", fmt.Sprintf(`{"name": "made-%d.dev", "environment": "Development", "defaultStrategy": "Direct"}`, i), http.StatusCreated)
		}},
		{"POST /configs/NAME/versions", 0, func(i int) {
			e.ask(http.MethodPost, fmt.Sprintf("%s/configs/made-%d.dev/versions", v1, i), `{"version": "1.0.0", "configData": {"timeout": "30s"}}`, http.StatusCreated)
		}},
		{"POST /deployments", 500, func(i int) {
			e.ask(http.MethodPost, v1+"/deployments", fmt.Sprintf(`{"configName": "made-%d.dev", "configVersion": "1.0.0"}`, i), http.StatusCreated)
		}},
		{"GET /configs/NAME", 100, func(i int) {
			e.ask(http.MethodGet, v1+"/configs/"+e.profiles[i%n].Name, "", http.StatusOK)
		}},
		{"GET /deployments/ID", 120, func(int) { e.ask(http.MethodGet, v1+"/deployments/"+live, "", http.StatusOK) }},
	} {
		took := e.asked(door.ask)
		s.add(bench.Figure{What: fmt.Sprintf("%s, p99 of %d under %d live deployments", door.what, len(took), n), Unit: "ms", Ours: []float64{bench.Percentile(took, 99)}, Goal: door.goal})
		s.add(bench.Figure{What: "its median", Unit: "ms", Ours: []float64{bench.Median(took)}})
	}
	d.Kill(s)
}

// asked has four callers ask by turns, and gives how long each answer took.
func (e *estate) asked(ask func(i int)) []float64 {
	took := make([]float64, 40*e.s.Rounds)
	turn := make(chan int)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range turn {
				took[i] = milliseconds(func() { ask(i) })
			}
		})
	}
	for i := range took {
		turn <- i
	}
	close(turn)
	callers.Wait()
	return took
}
