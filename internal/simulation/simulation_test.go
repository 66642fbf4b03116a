package simulation_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

const (
	name   = "payment-service.production"
	file   = "payment-service/production.yaml"
	canary = "canary-secret-5e0f" // a plain secret that must show up nowhere
	source = "configs"
)

// text is the profile with a value. The instances refuse "refused"; "hurts"
// fails every third request.
func text(value string) *string {
	s := fmt.Sprintf(`apiVersion: sluice/v1
kind: ConfigProfile
name: %s
service: payment-service
environment: Production
schema: payment
strategy: {type: Canary, steps: [25, 50, 100], phaseInterval: 30s, progressDeadline: 10m}
health: {checkInterval: 10s}
data: {value: %q, password: {type: secret, value: %s}}
`, name, value, canary)
	return &s
}

func schema() *string {
	s := "$schema: https://json-schema.org/draft/2020-12/schema\ntype: object\nrequired: [value]\n"
	return &s
}

// TestMain asks for fewer histories than rapid does by itself, since one is a
// life of hours; -rapid.checks asks for more.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "30"); err != nil {
			panic(err)
		}
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	time.Local = zone // clocks of machines that go back and forth
	os.Exit(m.Run())
}

// births are when a life begins: minutes before the clocks go forward or back,
// a leap day, a new year after one, the end of 32 bits; and the bubble's own.
var births = []string{
	"2000-01-01T00:00:00Z", "2026-03-29T00:50:00Z", "2026-10-25T00:50:00Z", "2028-02-28T23:50:00Z", "2028-12-31T23:50:00Z", "2038-01-19T03:04:00Z",
}

// TestAnyHistory draws histories of commits, health, crashes and orders.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		// rapid's own failures must not happen inside the bubble: they are
		// collected, and told outside.
		var failure string
		dir, err := os.MkdirTemp("", "sluice-sim-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
		birth := rapid.SampledFrom(births).Draw(rt, "birth")
		script := draw(rt)
		synctest.Test(t, func(t *testing.T) { _, failure = live(t, dir, birth, script) })
		if failure != "" {
			rt.Fatalf("%s\nborn %s, after: %s", failure, birth, script)
		}
	})
}

// TestKnownHistories lives what once went wrong.
func TestKnownHistories(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]happening{
		"a successor that is taken back before it started leaves nobody on what it superseded": {{"sleeper", 9}, {"commit", 3}, {"sync", 5}, {"rollback", 11}},
	} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			if _, failure := live(t, dir, births[0], script); failure != "" {
				t.Errorf("%s: %s", name, failure)
			}
		})
	}
}

// TestAScriptReplaysTheSameHistory lives a life of everything twice. A failure
// that another life of the same script does not show again helps nobody.
func TestAScriptReplaysTheSameHistory(t *testing.T) {
	t.Parallel()
	var script []happening
	for i, what := range happenings {
		script = append(script, happening{what, i % 12})
	}
	var lives [2]string
	for i := range lives {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			story, failure := live(t, dir, births[1], script)
			if failure != "" {
				t.Error(failure)
			}
			lives[i] = story
		})
	}
	if a, b, same := firstDifference(lives[0], lives[1]); !same {
		t.Errorf("the second life went another way:\n%s\n%s", a, b)
	}
}

// firstDifference is the first line that differs; same says that there is none.
func firstDifference(a, b string) (lineA, lineB string, same bool) {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(linesA), len(linesB)) {
		if linesA[i] != linesB[i] {
			return linesA[i], linesB[i], false
		}
	}
	return fmt.Sprint(len(linesA), " lines"), fmt.Sprint(len(linesB), " lines"), len(linesA) == len(linesB)
}

// happening is one thing that happens, with a number that chooses how.
type happening struct {
	what string
	n    int
}

func (h happening) String() string { return fmt.Sprintf("%s %d", h.what, h.n) }

var happenings = []string{
	"commit", "commit", "commit", "hurts", "refused", "broken", "delete", "force-push", "two commits",
	"sync", "sync", "sync twice", "sync crashes", "step", "crash", "crash", "sleeper", "sleeper", "join in mid-step", "join in mid-step",
	"time", "time", "time", "outage", "join", "leave", "silent", "back", "stuck",
	"rollback", "emergency", "pause", "resume", "promote", "cancel", "release", "old ack",
	"freeze", "unfreeze",
}

func draw(rt *rapid.T) []happening {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) happening {
		return happening{rapid.SampledFrom(happenings).Draw(rt, "what"), rapid.IntRange(0, 11).Draw(rt, "n")}
	}), 1, 30).Draw(rt, "history")
}

// member is one modelled instance.
type member struct {
	id, host      string
	generation    int64
	version, hash string
	hurts         bool
	silent, stuck bool
	told          fleet.Ack // its last word, for saying it again too late
}

// sim is one life.
type sim struct {
	t        *testing.T
	ctx      context.Context
	db       *store.Store
	beats    *store.Heartbeats
	repo     *repository
	members  []*member
	engines  []*rollout.Engine
	crash    string // point at which the next step or sync dies
	between  func() // happens once, between a step's reading and its writing
	released time.Time
	outage   bool
	values   int
	failed   string
	logs     strings.Builder
	hosts    int
	ids      int
}

// crashed is the panic of a simulated kill -9.
type crashed struct{ point string }

// live lives one life. It returns what the audit log tells of it, and what went wrong.
func live(t *testing.T, dir, birth string, script []happening) (story, failure string) {
	ctx := context.Background()
	s := &sim{t: t, ctx: ctx, repo: newRepository()}
	begins, err := time.Parse(time.RFC3339, birth)
	if err != nil {
		return "", err.Error()
	}
	time.Sleep(time.Until(begins)) // of the bubble's clock
	logger := slog.New(slog.NewTextHandler(&s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.db, err = store.Open(ctx, store.Options{URL: filepath.Join(dir, "sluice.db"), Now: time.Now, Logger: logger})
	if err != nil {
		return "", err.Error()
	}
	defer func() {
		if err := s.db.Close(); err != nil && failure == "" {
			failure = err.Error()
		}
	}()
	if err := s.db.Migrate(ctx); err != nil {
		return "", err.Error()
	}
	s.beats = store.NewHeartbeatWriter(s.db, time.Millisecond)
	writing, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- s.beats.Run(writing) }()
	defer func() {
		stop()
		if err := <-stopped; err != nil && failure == "" {
			failure = err.Error()
		}
	}()
	for i := range 3 {
		s.engines = append(s.engines, rollout.NewEngine(s.db, nobody{}, rollout.EngineOptions{Owner: owner(i), Logger: logger, Fail: s.fail}))
	}
	s.repo.commit(map[string]*string{file: text("first"), "schemas/payment.yaml": schema()})
	for range 4 {
		s.join()
	}
	s.sync()
	s.pass(2 * time.Minute)
	for _, h := range script {
		s.do(h)
		s.check()
		if s.failed != "" {
			return "", fmt.Sprintf("at %q: %s", h, s.failed)
		}
	}
	s.heal()
	story = s.story()
	return story, s.failed
}

// story is the audit log, a line for each event.
func (s *sim) story() string {
	events, _, err := s.db.Audit(s.ctx, store.AuditFilter{Limit: 1000})
	s.must(err)
	var lines strings.Builder
	for _, e := range events {
		line, err := json.Marshal(e)
		s.must(err)
		fmt.Fprintln(&lines, string(line))
	}
	return lines.String()
}

func owner(i int) string { return fmt.Sprint("replica-", i) }

type nobody struct{}

func (nobody) Publish(context.Context, string) {}

// fail dies at the point that the history chose.
func (s *sim) fail(point string) {
	if between := s.between; between != nil && point == "K6" && len(s.members) < 12 {
		s.between = nil
		between()
	}
	if s.crash != "" && point == s.crash {
		s.crash = ""
		panic(crashed{point})
	}
}

// surviving runs f; a simulated crash ends f and nothing else.
func (s *sim) surviving(f func()) {
	defer func() {
		cause := recover()
		if _, dead := cause.(crashed); cause != nil && !dead {
			panic(cause)
		}
	}()
	f()
}

// newID is the same in each life of a script: who goes first is drawn from the
// ids of deployments and instances.
func (s *sim) newID() string {
	s.ids++
	return digest(fmt.Sprint("id ", s.ids))[:32]
}

func (s *sim) wrong(format string, args ...any) {
	if s.failed == "" {
		s.failed = fmt.Sprintf(format, args...)
	}
}

func (s *sim) must(err error) {
	if err != nil {
		s.wrong("%v", err)
	}
}

// sync is one pass of a fresh reconciler: nothing of an earlier one is needed.
func (s *sim) sync() {
	r, err := reconciler.New(reconciler.Options{
		Source: reconciler.SourceOptions{ID: source, Branch: "main", RewindAfter: time.Nanosecond}, Git: s.repo, Store: reconcilerStore{s.db}, Locker: coord.NewMemory(), NewID: s.newID, Fail: s.fail,
	})
	s.must(err)
	if err == nil {
		s.surviving(func() {
			if _, err := r.Sync(s.ctx); err != nil && !errors.Is(err, rollout.ErrStale) && !strings.Contains(err.Error(), "K") {
				s.wrong("sync: %v", err)
			}
		})
	}
}

type reconcilerStore struct{ *store.Store }

func (r reconcilerStore) InTx(ctx context.Context, fn func(reconciler.Tx) error) error {
	return r.Store.InTx(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// step lets one replica work off what is due.
func (s *sim) step(replica int) {
	claims, err := s.db.ClaimDue(s.ctx, owner(replica), 15*time.Second, 8)
	s.must(err)
	for _, claim := range claims {
		s.surviving(func() {
			if err := s.engines[replica].Step(s.ctx, claim); err != nil && !errors.Is(err, rollout.ErrStale) {
				s.wrong("step: %v", err)
			}
		})
	}
}

// pass lives on for d: instances take what they are assigned and beat every
// five seconds, and some replica steps what is due.
func (s *sim) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) && s.failed == ""; {
		for range 6 {
			s.apply()
			due, ok, err := s.db.NextDue(s.ctx)
			s.must(err)
			if !ok || due.After(time.Now()) {
				break
			}
			s.step(0)
		}
		time.Sleep(5 * time.Second) // of the bubble's clock
		s.beat()
		s.check()
	}
}

func (s *sim) join() {
	s.hosts++
	m := &member{id: s.newID(), host: fmt.Sprintf("host-%02d", s.hosts)}
	s.must(s.db.RegisterInstance(s.ctx, fleet.Instance{
		ID: m.id, Service: "payment-service", Hostname: m.host, Environment: profile.Production,
	}, []byte(m.id)))
	s.members = append(s.members, m)
}

// apply is what the agents do: refuse an older generation and another hash, take
// the rest, say so.
func (s *sim) apply() {
	for _, m := range s.members {
		if m.silent || m.stuck {
			continue
		}
		assigned, err := s.db.AssignmentsOf(s.ctx, m.id)
		s.must(err)
		for _, a := range assigned {
			if a.Generation < m.generation {
				s.wrong("%s was given generation %d after %d", m.host, a.Generation, m.generation)
			}
			data, err := s.db.VersionData(s.ctx, a.Profile, a.Version, a.Hash)
			s.must(err)
			if digest(string(data)) != a.Hash {
				s.wrong("%s was given data with another hash", m.host)
			}
			if a.Acknowledged() || a.ApplyError != "" {
				continue
			}
			m.generation = a.Generation
			ack := fleet.Ack{InstanceID: m.id, Profile: name, Version: a.Version, Hash: a.Hash, Generation: a.Generation, OK: true}
			if strings.Contains(string(data), "refused") {
				ack.OK, ack.Error = false, "the value is refused"
			} else {
				m.version, m.hash, m.hurts = a.Version, a.Hash, strings.Contains(string(data), "hurts")
			}
			m.told = ack
			_, _, err = s.db.Acknowledge(s.ctx, ack)
			s.must(err)
		}
	}
}

func (s *sim) beat() {
	for _, m := range s.members {
		if m.silent {
			continue
		}
		sample := fleet.Sample{Status: fleet.StatusHealthy, Counted: true, Requests: 100, Latency: fleet.Histogram{Bounds: []float64{50, 100}, Counts: []uint64{100, 0, 0}}}
		if m.hurts || s.outage {
			sample.Errors = 33
		}
		s.must(s.beats.Record(s.ctx, m.id, sample))
	}
}

func (s *sim) one(n int) *member {
	if len(s.members) == 0 {
		return &member{}
	}
	return s.members[n%len(s.members)]
}

func (s *sim) value(kind string) *string {
	s.values++
	return text(fmt.Sprint(kind, "-", s.values))
}

// do lets one thing happen.
func (s *sim) do(h happening) {
	m := s.one(h.n)
	switch h.what {
	case "commit", "hurts", "refused":
		s.repo.commit(map[string]*string{file: s.value(h.what)})
	case "two commits":
		s.repo.commit(map[string]*string{file: s.value("commit")})
		s.repo.commit(map[string]*string{file: s.value("commit")})
	case "broken":
		broken := strings.Replace(*s.value("x"), "data:", "dat:", 1)
		s.repo.commit(map[string]*string{file: &broken})
	case "delete":
		s.repo.commit(map[string]*string{file: nil})
	case "force-push":
		s.repo.rewind()
	case "sync":
		s.sync()
	case "sync twice":
		s.sync()
		s.sync()
	case "sync crashes":
		s.crash = []string{"K1", "K3", "K4"}[h.n%3]
		s.sync()
		s.crash = ""
	case "step":
		s.step(h.n % len(s.engines))
	case "crash":
		s.crash = []string{"K5", "K6", "K7", "K8", "K9"}[h.n%5]
		s.pass(40 * time.Second)
		s.crash = ""
	case "sleeper":
		s.sleeper()
	case "join in mid-step":
		s.between = s.join
		s.sync()
		s.pass(time.Duration(20+10*h.n) * time.Second)
		s.between = nil
	case "time":
		s.pass(time.Duration(5+20*h.n) * time.Second)
	case "outage":
		s.outage = !s.outage
	case "freeze": // for a while, or until somebody ends it
		_, err := s.db.BeginFreeze(s.ctx, "ann", "incident", time.Duration(h.n)*20*time.Second)
		s.must(err)
	case "unfreeze":
		s.unfreeze()
	case "join":
		if len(s.members) < 10 {
			s.join()
		}
	case "leave":
		if len(s.members) > 1 {
			s.must(s.db.DeregisterInstance(s.ctx, m.id, "test"))
			i := h.n % len(s.members)
			s.members = append(s.members[:i], s.members[i+1:]...)
		}
	case "silent":
		m.silent = true
	case "back":
		m.silent, m.stuck = false, false
	case "stuck":
		m.stuck = true
	case "old ack":
		if m.told.Generation > 1 {
			ack := m.told
			ack.Generation--
			if _, _, err := s.db.Acknowledge(s.ctx, ack); err != nil && !errors.Is(err, store.ErrHashMismatch) {
				s.must(err)
			}
		}
	default:
		s.order(h.what)
	}
}

func (s *sim) unfreeze() {
	if err := s.db.EndFreeze(s.ctx, "ann", "it is over"); !errors.Is(err, store.ErrNotFound) {
		s.must(err)
	}
}

// sleeper lets a replica claim what is under way and sleep past its lease. What
// it began must lose, whatever was decided meanwhile.
func (s *sim) sleeper() {
	s.repo.commit(map[string]*string{file: s.value("commit")})
	s.sync()
	s.must(s.db.WakeDeployment(s.ctx, name))
	claims, err := s.db.ClaimDue(s.ctx, "sleeper", 15*time.Second, 8)
	s.must(err)
	s.pass(40 * time.Second)
	for _, claim := range claims {
		d, err := s.db.Deployment(s.ctx, claim.DeploymentID)
		s.must(err)
		if d.Epoch == claim.Epoch || d.State.Final() {
			continue // nobody took over, or there is nothing left to break
		}
		next := d
		next.Explanation = "written too late"
		if err := s.db.Step(s.ctx, claim, rollout.Decision{Next: next, Changed: true, Wake: time.Now()}); !errors.Is(err, rollout.ErrStale) {
			s.wrong("a step under a lost claim got %v", err)
		}
	}
}

// order lets a person do something. That it does not fit is no fault.
func (s *sim) order(what string) {
	if what == "release" {
		s.released = time.Now()
		if err := s.db.ReleaseHold(s.ctx, name, "ann", "try again"); err != nil && !errors.Is(err, store.ErrNotFound) {
			s.must(err)
		}
		return
	}
	if what == "emergency" {
		s.emergency()
		return
	}
	d, err := s.db.ActiveDeployment(s.ctx, name)
	if errors.Is(err, rollout.ErrNotFound) {
		return
	}
	s.must(err)
	_, err = s.engines[0].Order(s.ctx, d.ID, rollout.Order(what), "ann", "because")
	if _, refused := errors.AsType[*rollout.StateError](err); err != nil && !refused && !errors.Is(err, rollout.ErrNoWayBack) {
		s.must(err)
	}
}

func (s *sim) emergency() {
	r, err := s.db.Profile(s.ctx, name)
	s.must(err)
	completed, err := s.db.CompletedVersions(s.ctx, name)
	s.must(err)
	for _, v := range completed {
		number := v.Number
		if number == r.CurrentVersion || r.CurrentVersion == "" {
			continue
		}
		to, err := s.db.Version(s.ctx, name, number)
		s.must(err)
		from, err := s.db.Version(s.ctx, name, r.CurrentVersion)
		s.must(err)
		_, err = s.engines[1].RollbackProfile(s.ctx, rollout.Back{Record: r, To: to, Refused: from, ID: s.newID(), Actor: "ann", Reason: "emergency"})
		s.must(err)
		for _, m := range s.members {
			assigned, err := s.db.AssignmentsOf(s.ctx, m.id)
			s.must(err)
			if len(assigned) != 1 || assigned[0].Version != number {
				s.wrong("after the emergency rollback %s is assigned %+v", m.host, assigned)
			}
		}
		return
	}
}

// TestNoDateChangesTheHistory lives the same life while clocks go forward, on a leap
// day and past 32 bits: it takes as long.
func TestNoDateChangesTheHistory(t *testing.T) {
	t.Parallel()
	script := []happening{{"commit", 0}, {"sync", 0}, {"time", 8}, {"hurts", 0}, {"sync", 0}, {"time", 3}}
	var first string
	for _, birth := range []string{births[1], births[3], births[5]} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			_, failure := live(t, dir, birth, script)
			if failure != "" {
				t.Errorf("born %s: %s", birth, failure)
			}
		})
		since := pace(t, dir, birth)
		if first == "" {
			first = since
		}
		if since != first {
			t.Errorf("born %s the phases came at\n%s, otherwise at\n%s", birth, since, first)
		}
	}
}

// pace is what happened to deployments, with the time since birth.
func pace(t *testing.T, dir, birth string) string {
	t.Helper()
	begins, err := time.Parse(time.RFC3339, birth)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{URL: filepath.Join(dir, "sluice.db"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	events, _, err := db.Audit(t.Context(), store.AuditFilter{EntityType: "deployment", Limit: 1000})
	if err != nil || len(events) < 10 {
		t.Fatalf("%d events of deployments, %v", len(events), err)
	}
	var lines strings.Builder
	for _, e := range events {
		fmt.Fprintf(&lines, "%s %s\n", e.Fact.Type, e.At.Sub(begins))
	}
	return lines.String()
}
