package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sluicehq/sluice/internal/faultproxy"
	"github.com/sluicehq/sluice/internal/testenv"
	"github.com/sluicehq/sluice/rollout"
	"github.com/sluicehq/sluice/store"
)

// wireCommit is COMMIT as the driver sends it by itself: a simple query, its length and text.
const wireCommit = "Q\x00\x00\x00\x0bcommit\x00"

// wireCommitBehind is COMMIT as it is sent behind the last that a transaction writes: a
// prepared statement, which the driver names by the hash of its text.
func wireCommitBehind(t *testing.T) string {
	t.Helper()
	hash := sha256.Sum256([]byte("commit"))
	var wire []byte
	for _, message := range []pgproto3.FrontendMessage{
		&pgproto3.Bind{PreparedStatement: "stmtcache_" + hex.EncodeToString(hash[:24])},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{},
	} {
		var err error
		if wire, err = message.Encode(wire); err != nil {
			t.Fatal(err)
		}
	}
	return string(wire)
}

// cutWorld is a world and a second store on it whose connections can be cut.
type cutWorld struct {
	*world
	via   *store.Store
	proxy *faultproxy.Proxy
}

func newCutWorld(t *testing.T) *cutWorld {
	t.Helper()
	w := &cutWorld{world: newPostgresWorld(t), proxy: faultproxy.New(t, testenv.SharedPostgres(t).Addr())}
	name := w.path[strings.LastIndex(w.path, "/")+1 : strings.Index(w.path, "?")]
	via, err := store.Open(t.Context(), store.Options{URL: testenv.URLVia(w.proxy.Addr(), name), Now: w.clock, Connections: 6})
	w.must(err)
	w.via = via
	t.Cleanup(func() {
		if err := via.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// slowCommits makes every COMMIT of a deployment's change take its time. It does
// not hear the cancel request that the driver sends behind a connection that
// died, unless that comes before it was begun.
func (w *cutWorld) slowCommits() {
	w.t.Helper()
	w.must(w.raw(`CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			BEGIN PERFORM pg_sleep(0.5); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.5); END;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT OR UPDATE ON config_deployments DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION dawdle()`))
}

// The connection dies around COMMIT: before the server heard of it, while the
// server is at it, and when it is done. The answer is nil exactly when the
// decision was stored, once and whole.
func TestConnectionCutAtCommit(t *testing.T) {
	t.Parallel()
	claimed := func(w *cutWorld) (rollout.Deployment, rollout.Claim) {
		d := w.create("1.1.0")
		claim := w.claimOne("a")
		return w.read(d.ID), claim
	}
	fact := []rollout.Fact{{Type: "test.happened"}}
	for name, prepare := range map[string]func(w *cutWorld) (rollout.Deployment, func() error){
		"a step": func(w *cutWorld) (rollout.Deployment, func() error) {
			d, claim := claimed(w)
			next := d
			next.State = rollout.InProgress
			return d, func() error {
				return w.via.Step(t.Context(), claim, rollout.Decision{Next: next, Changed: true, Facts: fact})
			}
		},
		"an order": func(w *cutWorld) (rollout.Deployment, func() error) {
			d, _ := claimed(w)
			next := d
			next.State = rollout.Paused
			return d, func() error {
				return w.via.Order(t.Context(), rollout.Decision{Next: next, Changed: true, Facts: fact})
			}
		},
		"a new deployment": func(w *cutWorld) (rollout.Deployment, func() error) {
			d := w.deployment("1.1.0")
			return d, func() error { return w.via.Create(t.Context(), rollout.Decision{Next: d, Changed: true, Facts: fact}) }
		},
	} {
		for _, where := range []faultproxy.Place{faultproxy.Before, faultproxy.Behind, faultproxy.Answered} {
			t.Run(fmt.Sprintf("%s, %s", name, where), func(t *testing.T) {
				t.Parallel()
				w := newCutWorld(t)
				d, write := prepare(w)
				w.slowCommits()
				cut := w.proxy.Cut(where, wireCommitBehind(t), 0)
				err := write()
				select {
				case <-cut:
				default:
					t.Fatalf("nothing was cut, it returned %v", err)
				}
				if stored := w.stored(); stored != (err == nil) {
					t.Errorf("got %v, stored: %t", err, stored)
				} else if where != faultproxy.Behind && stored != (where == faultproxy.Answered) {
					t.Errorf("stored: %t", stored)
				}
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
				w.onlyOnce(d, err == nil)
				if err != nil {
					w.must(write()) // it can be stored as it is
					w.onlyOnce(d, true)
				}
			})
		}
	}
}

// Wherever in a decision the connection dies, it is the database that is away,
// in the words of whoever did the writing too.
func TestConnectionCutInADecision(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"UPDATE config_deployments", "INTO config_assignments", "INTO config_audit_logs", "INTO commit_statuses", "river_job"} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			w := newCutWorld(t)
			w.register("i-1")
			d := w.create("1.1.0")
			status, _ := rollout.StatusOf(d)
			cut := w.proxy.CutBefore(statement)
			err := w.via.Order(t.Context(), rollout.Decision{
				Next: d, Changed: true, Facts: []rollout.Fact{{Type: "test.happened"}}, Status: []rollout.Status{status},
				Assign: []rollout.Assign{{InstanceID: "i-1", Version: d.Version, Hash: d.Hash}},
			})
			select {
			case <-cut:
			default:
				t.Fatalf("nothing was cut, it returned %v", err)
			}
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			w.onlyOnce(d, false)
		})
	}
}

// stored waits until the server has ended the transaction that was cut, and says
// whether it committed.
func (w *cutWorld) stored() bool {
	w.t.Helper()
	for w.rows(`pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND query = 'commit'`) > 0 {
		select {
		case <-w.t.Context().Done():
			w.t.Fatal("the server does not end the transaction")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return w.rows(`config_audit_logs WHERE event_type = 'test.happened'`) > 0
}

// onlyOnce says that what was written to a deployment is there once, or not at all.
func (w *cutWorld) onlyOnce(before rollout.Deployment, stored bool) {
	w.t.Helper()
	want := 0
	if stored {
		want = 1
	}
	if n := w.rows(`config_audit_logs WHERE event_type = 'test.happened'`); n != want {
		w.t.Errorf("%d events of it are in the audit log, want %d", n, want)
	}
	after, err := w.Deployment(w.t.Context(), before.ID)
	if !stored && before.Revision == 0 { // it was to be new
		if !errors.Is(err, rollout.ErrNotFound) {
			w.t.Errorf("reading it gave %v, want ErrNotFound", err)
		}
		return
	}
	w.must(err)
	if after.Revision != before.Revision+int64(want) {
		w.t.Errorf("the revision went from %d to %d", before.Revision, after.Revision)
	}
}

// What has no row of its own to tell is simply asked for again: an acknowledgement
// changes nothing the second time, and a position moves from where it was once.
func TestConnectionCutAtACommitThatIsRepeated(t *testing.T) {
	t.Parallel()
	for _, where := range []faultproxy.Place{faultproxy.Before, faultproxy.Answered} {
		stored := where == faultproxy.Answered
		t.Run("an acknowledgement, "+where.String(), func(t *testing.T) {
			t.Parallel()
			w := newCutWorld(t)
			w.register("i-1")
			w.create("1.1.0")
			a := ack(w.assign("i-1", "1.1.0"))
			w.proxy.Cut(where, wireCommit, 0)
			if _, _, err := w.via.Acknowledge(t.Context(), a); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if got := w.assignment("i-1"); got.Acknowledged() != stored {
				t.Errorf("stored is %+v", got)
			}
			if _, changed, err := w.via.Acknowledge(t.Context(), a); err != nil || changed == stored {
				t.Errorf("said again it changes something: %t, %v", changed, err)
			}
		})
		t.Run("a source's position, "+where.String(), func(t *testing.T) {
			t.Parallel()
			w := newCutWorld(t)
			move := func() error {
				return w.via.InTx(t.Context(), func(tx *store.Tx) error {
					if err := tx.MoveHead(t.Context(), "configs", "", "c0ffee", ""); err != nil {
						return err
					}
					return tx.Record(t.Context(), rollout.Fact{Type: "test.happened"})
				})
			}
			w.proxy.Cut(where, wireCommitBehind(t), 0)
			if err := move(); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if err := move(); errors.Is(err, rollout.ErrStale) != stored || err != nil && !stored {
				t.Errorf("moved again it gave %v", err)
			}
			if n := w.rows(`config_audit_logs WHERE event_type = 'test.happened'`); n != 1 {
				t.Errorf("it happened %d times", n)
			}
		})
	}
}

// What instances should know takes one round trip once it is known what the active
// deployments want; that one has ended is seen all the same.
func TestHeartbeatsTakeFewRoundTrips(t *testing.T) {
	t.Parallel()
	w := newCutWorld(t)
	w.register("i-1")
	d := w.create("1.1.0")
	d = w.read(d.ID)
	d.State = rollout.InProgress
	w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
	i, err := w.Instance(t.Context(), "i-1")
	w.must(err)
	for n := range 3 {
		before := w.proxy.RoundTrips()
		heard, err := w.via.Heard(t.Context(), i)
		if took := w.proxy.RoundTrips() - before; err != nil || !heard[i.ID].Active || n > 0 && took != 1 {
			t.Errorf("time %d: %+v after %d round trips, %v", n+1, heard, took, err)
		}
	}
	d = w.read(d.ID)
	d.State, d.FinishedAt = rollout.Cancelled, w.clock()
	w.must(w.Order(t.Context(), rollout.Decision{Next: d, Changed: true}))
	if heard, err := w.via.Heard(t.Context(), i); err != nil || heard[i.ID].Active {
		t.Errorf("of a deployment that has ended: %+v, %v", heard, err)
	}
}
