package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/bench"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/store"
)

// beatConnections is over how many connections a fleet's heartbeats come. Each sends the next one when
// it has its answer.
const beatConnections = 256

const beatBody = `{"health": {"status": "Healthy", "requests": 412, "errors": 1, "p99Latency": 41.5, "cpuUsage": 12.5, "memoryUsage": 48.0}}`

// beater sends prepared requests over connections of its own and reads no more of an answer than it
// must: it shares the processors with what it measures.
type beater struct {
	s        *scenario
	host     string
	requests [][]byte
}

func newBeater(s *scenario, url string, members []member) *beater {
	b := &beater{s: s, host: strings.TrimPrefix(url, "http://")}
	for _, m := range members {
		b.requests = append(b.requests, fmt.Appendf(nil,
			"POST /api/v1/instances/%s/heartbeat HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			m.ID, b.host, m.Token, len(beatBody), beatBody))
	}
	return b
}

// round lets every instance beat once, and gives how many beats a second that were.
func (b *beater) round() float64 {
	b.s.Helper()
	turn := make(chan []byte, beatConnections)
	var group sync.WaitGroup
	for range min(beatConnections, len(b.requests)) {
		conn, err := net.Dial("tcp", b.host)
		if err != nil {
			b.s.Fatal(err)
		}
		group.Go(func() {
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for request := range turn {
				if err := exchange(conn, answers, request); err != nil {
					b.s.Error(err)
				}
			}
		})
	}
	began := time.Now()
	for _, request := range b.requests {
		turn <- request
	}
	close(turn)
	group.Wait()
	return float64(len(b.requests)) / time.Since(began).Seconds()
}

func exchange(conn net.Conn, answers *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body) // the status is error enough
		return fmt.Errorf("a heartbeat was answered %s: %s", answer.Status, text)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// meanwhile asks the API one thing after the other until it is stopped, and gives how long each took, in ms.
func (e *estate) meanwhile(url string, paths ...string) (stop func() []float64) {
	ctx, cancel := context.WithCancel(e.s.Context())
	ended := make(chan []float64)
	go func() {
		var took []float64
		for i := 0; ctx.Err() == nil; i++ {
			took = append(took, milliseconds(func() { e.get(url + "/api/v1" + paths[i%len(paths)]) }))
			pause(ctx, 5*time.Millisecond)
		}
		ended <- took
	}()
	return func() []float64 { cancel(); return <-ended }
}

// pause is between two of a series.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (e *estate) get(url string) { e.ask(http.MethodGet, url, "", http.StatusOK) }

func (e *estate) ask(method, url, body string, want int) { e.askAs(e.admin, method, url, body, want) }

func (e *estate) askAs(token, method, url, body string, want int) {
	req, err := http.NewRequestWithContext(e.s.Context(), method, url, strings.NewReader(body))
	if err != nil {
		e.s.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.s.Error(err)
		return
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		e.s.Errorf("%s %s: %s, want %d, %v: %s", method, url, res.Status, want, err, text)
	}
}

// batches gives what storing one batch of the members' heartbeats takes, in ms.
func (e *estate) batches(members []member) func() float64 {
	beats := store.NewHeartbeatWriter(e.db, 0)
	var stored, heartbeats atomic.Int64
	beats.Written = func(n int, took time.Duration, err error) {
		if err != nil {
			e.s.Error(err)
		}
		stored.Add(int64(took))
		heartbeats.Add(int64(n))
	}
	run(e.s, beats.Run)
	return func() float64 {
		stored.Store(0)
		heartbeats.Store(0)
		var group sync.WaitGroup
		for _, m := range members {
			group.Go(func() {
				if err := beats.Record(e.s.Context(), m.ID, fleet.Sample{Status: fleet.StatusHealthy, Counted: true, Requests: 412, Errors: 1}); err != nil {
					e.s.Error(err)
				}
			})
		}
		group.Wait() // that they were written is told before they are
		if n := heartbeats.Load(); n != int64(len(members)) {
			e.s.Errorf("%d heartbeats were written, want %d", n, len(members))
		}
		return float64(time.Duration(stored.Load()).Microseconds()) / 1000
	}
}

// bareBatches is the least that a batch could be: the instances' rows, and with samples theirs too.
func (e *estate) bareBatches(members []member, samples bool) func() float64 {
	ids, states, texts := make([]string, len(members)), make([]string, len(members)), make([]string, len(members))
	for i, m := range members {
		text, err := json.Marshal(fleet.Sample{InstanceID: m.ID, Status: fleet.StatusHealthy, Counted: true, Requests: 412, Errors: 1})
		must(e.s, err)
		ids[i], states[i], texts[i] = m.ID, string(fleet.StatusHealthy), string(text)
	}
	return func() float64 {
		return milliseconds(func() {
			tx, err := e.bare.BeginTx(e.s.Context(), nil)
			must(e.s, err)
			if samples {
				_, err = tx.ExecContext(e.s.Context(), `INSERT INTO health_samples (instance_id, since, at, sample)
					SELECT id, now(), now(), sample::json FROM unnest($1::text[], $2::text[]) AS s(id, sample)`, ids, texts)
				must(e.s, err)
			}
			_, err = tx.ExecContext(e.s.Context(), `UPDATE service_instances i SET last_heartbeat = now(), status = b.status
				FROM unnest($1::text[], $2::text[]) AS b(id, status) WHERE i.instance_id = b.id`, ids, states)
			must(e.s, err)
			must(e.s, tx.Commit())
		})
	}
}

func benchHeartbeats(s *scenario) {
	server := testenv.NewPostgres(s)
	var sizes, seconds []float64
	for _, tenths := range []int{1, 3, 10} {
		n := max(s.Instances*tenths/10, 1)
		e := s.estateOf(server.CreateDatabase(s, ""), max(n/100, 1), n)
		d := e.daemon()
		b := newBeater(s, d.URL(), e.members)
		b.round() // connections, plans and caches of both
		stop := e.meanwhile(d.URL(), "/deployments?limit=20", "/configs/"+e.profiles[0].Name, "/instances?limit=20")
		var rates, times []float64
		for range s.Rounds {
			rate := b.round()
			rates, times = append(rates, rate), append(times, float64(n)/rate)
		}
		took := stop()
		d.Kill(s)
		sizes, seconds = append(sizes, float64(n)), append(seconds, bench.Median(times))
		s.add(bench.Figure{What: fmt.Sprintf("heartbeats a second of %d instances, over HTTP to the daemon", n), Unit: "1/s", Ours: rates, Goal: 5000, AtLeast: true})
		if tenths == 10 {
			s.add(bench.Figure{What: "p99 of reads of the API meanwhile", Unit: "ms", Ours: []float64{bench.Percentile(took, 99)}, Goal: 200})
			s.batchFigures(e)
		}
	}
	s.note("A round of heartbeats grows with the fleet to the power of %.2f.", bench.Exponent(sizes, seconds))
	s.note("PostgreSQL runs with fsync off, and the daemon, PostgreSQL and what sends the heartbeats share the processors.")
}

// batchFigures are those of the writer alone.
func (s *scenario) batchFigures(e *estate) {
	members := e.members[:min(len(e.members), 1000)]
	for _, floor := range []struct {
		beside  string
		samples bool
		goal    float64
	}{{"one bare unnest update", false, 0}, {"a bare unnest update and insert of the same samples", true, 1.5}} {
		ours, bare := s.inTurn(e.batches(members), e.bareBatches(members, floor.samples))
		s.add(bench.Figure{What: fmt.Sprintf("a batch of %d heartbeats stored, with their samples", len(members)), Unit: "ms", Ours: ours, Beside: floor.beside, Floor: bare, Goal: floor.goal})
	}
}
